"""manifest.json and SHA256SUMS, lost or damaged, are written again from the shards; nothing else can be."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..data.errors import FormatError
from ..data.files import remove_leftovers
from ..data.format import SHARD_NAME, SHARD_SUFFIX, SPLITS, shard_name
from ..data.hashing import file_hash, text_hash
from ..data.manifest import CHECKSUMS, DOCUMENTS, MANIFEST, Manifest, load_if_present, load_manifest
from ..data.shard import Shard, ShardRecord, inspect_shard
from ..data.verification import verify
from .locking import locked
from .present import is_part

SUM = re.compile(r"([0-9a-f]{64})  (\S+)")
# What can be read of a manifest even where it is no longer JSON: name and SHA-256 of a shard, which stand in the
# same braces, and the sizes of the splits.
ENTRY = re.compile(r'"file": *"([^"]+)",[^{}]*?"sha256": *"([0-9a-f]{64})"')
SIZE = re.compile(rf'"({"|".join(SPLITS)})": *(\d+)')
FETCH = "Fetch it again, or generate it again with the same config."


def repair(folder: Path) -> list[str]:
    """Write manifest and SHA256SUMS of a dataset again where they are lost or damaged; names of those written.

    Every shard must be sound by itself, all must be of one config, and each split's rows without gap from 0 on.
    So that a changed or lost shard is never passed off as right, one of these must hold besides: the manifest is
    sound and fits the shards; SHA256SUMS has the hash of the manifest that follows from the shards; or nothing
    that can still be read of the two contradicts a shard. Where nothing of them can be read, nobody can tell
    whether the last shards of a split are lost, too.

    Raises FormatError that names the file in the way, and then has changed nothing.
    """
    if not folder.is_dir():
        raise FormatError(
            f"{folder}: no folder; expected a dataset whose {MANIFEST} or {CHECKSUMS} is damaged"
        )
    with locked(folder):
        sums = _sums(folder)
        _check_documents(folder, sums)
        manifest = _sound_manifest(folder) or _rebuilt_manifest(folder, sums)
        remove_leftovers(folder, is_part)
        before = {name: _bytes(folder / name) for name in (CHECKSUMS, MANIFEST)}
        manifest.save(folder)
        return [name for name, content in before.items() if content != _bytes(folder / name)]


def _sound_manifest(folder: Path) -> Manifest | None:
    """The manifest that is there, if all that it says of the shards is true."""
    try:
        manifest = load_manifest(folder)
        problems = verify(folder)
    except FormatError:
        return None
    parts = {MANIFEST, *(shard.file for shard in manifest.shards)}
    return None if any(problem.partition(": ")[0] in parts for problem in problems) else manifest


def _rebuilt_manifest(folder: Path, sums: dict[str, str]) -> Manifest:
    """The manifest that follows from the shards. Raises FormatError if anything speaks against it."""
    manifest = _manifest_of_shards(folder)
    if sums.get(MANIFEST) == text_hash(manifest.to_json()):
        return manifest
    old = _text(folder / MANIFEST)
    whole = _text(folder / CHECKSUMS) == "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    _check_claims(folder, CHECKSUMS, sums, manifest, complete=whole and MANIFEST in sums)
    said = dict(ENTRY.findall(old))
    _check_claims(folder, MANIFEST, said, manifest, complete=load_if_present(folder) is not None)
    for split, size in SIZE.findall(old):
        if int(size) != manifest.splits[split].trajectories:
            raise FormatError(
                f"{folder}: {MANIFEST} says that {split} has {size} rows, but its shards hold "
                f"{manifest.splits[split].trajectories}. Fetch or generate the rest; if you know that nothing is "
                f"missing, remove {MANIFEST} and repair again."
            )
    return manifest


def _manifest_of_shards(folder: Path) -> Manifest:
    """The manifest of all shards in the folder. Raises FormatError if one of them is not as it should be."""
    records: dict[str, list[ShardRecord]] = {split: [] for split in SPLITS}
    common: dict[str, Any] = {}
    for split in SPLITS:
        rows = 0
        for index in range(
            sum(bool(re.match(f"{split}-.*{SHARD_SUFFIX}$", path.name)) for path in folder.iterdir())
        ):
            path = folder / shard_name(split, index)
            record, shard = _sound_shard(path)
            own = {
                "components": list(shard.components),
                **{key: shard.attributes[key] for key in ("config", "system")},
            }
            common = common or own
            if own != common:
                raise FormatError(f"{path}: comes from another config than the shards before it. {FETCH}")
            if (shard.attributes["split"], record.first_row) != (split, rows):
                raise FormatError(
                    f"{path}: holds rows of {shard.attributes['split']} from {record.first_row}, expected rows of "
                    f"{split} from {rows}; it was renamed, or one before it is another. {FETCH}"
                )
            records[split].append(record)
            rows += record.rows
    if not common:
        raise FormatError(
            f"{folder}: no dataset: it holds no shard, as {shard_name('train', 0)} would be one"
        )
    config = json.loads(common["config"])
    config["dataset"] |= {split: sum(record.rows for record in records[split]) for split in SPLITS}
    try:
        return Manifest.of(config, json.loads(common["system"]), common["components"], records)
    except ValidationError as error:
        raise FormatError(
            f"{folder}: its shards hold no config: {error.errors()[0]['msg']}. {FETCH}"
        ) from None


def _sound_shard(path: Path) -> tuple[ShardRecord, Shard]:
    if not path.is_file():
        raise FormatError(f"{path}: missing, though a later shard is there. {FETCH}")
    for problem in verify(path):
        raise FormatError(f"{path.with_name(problem)}. {FETCH}")
    return inspect_shard(path)


def _check_documents(folder: Path, sums: dict[str, str]) -> None:
    """Refuse documents that are not those of SHA256SUMS."""
    for name in DOCUMENTS:
        path = folder / name
        if name in sums and not (path.is_file() and file_hash(path) == sums[name]):
            raise FormatError(
                f"{path}: is missing, or not the one that {CHECKSUMS} lists. Fetch it again; or remove it and its "
                f"line in {CHECKSUMS}, for `trajstore generate` with the same config writes it anew."
            )


def _check_claims(
    folder: Path, witness: str, claims: dict[str, str], manifest: Manifest, *, complete: bool
) -> None:
    """Refuse shards of which a file that could be read, in part or completely, says something else."""
    found = {shard.file: shard.sha256 for shard in manifest.shards}
    mend = f"{FETCH} If you know that the shards are right, remove {witness} and repair again."
    for name, digest in claims.items():
        if re.fullmatch(SHARD_NAME, name) and name not in found:
            raise FormatError(f"{folder / name}: missing, but {witness} lists it. {mend}")
        if found.get(name, digest) != digest:
            raise FormatError(
                f"{folder / name}: its SHA-256 is not the one in {witness}: one was changed. {mend}"
            )
    for name in found:
        if complete and name not in claims:
            raise FormatError(f"{folder / name}: {witness} does not list it. Remove the one or the other.")


def _sums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256, as far as SHA256SUMS can be read."""
    lines = map(SUM.fullmatch, _text(folder / CHECKSUMS).splitlines())
    return {line[2]: line[1] for line in lines if line}


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _text(path: Path) -> str:
    return (_bytes(path) or b"").decode(errors="replace")
