"""Manifest, its parts and SHA256SUMS, lost or damaged, are written again from the shards; nothing else can be."""

import re
from hashlib import sha256
from pathlib import Path

from ...data.base.errors import AGAIN, FormatError
from ...data.base.files import remove_leftovers
from ...data.base.hashing import text_hash
from ...data.folder.documents import document_hashes
from ...data.folder.manifest import Manifest
from ...data.folder.manifest_reading import load_if_present, load_manifest
from ...data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST, is_manifest_part, is_part, is_shard
from ...data.integrity.child_reader import shard_reader
from ...data.integrity.reader import Reader
from ...data.integrity.verify import verify
from ...data.shard.limits import check_text_file
from ...data.shard.schema import SPLITS, shard_name
from ...data.shard.shard import ShardRecord
from ..runtime.lock import locked

SUM = re.compile(r"([0-9a-f]{64})  (\S+)")
# What can be read of a manifest even where it is no longer JSON: name and SHA-256 of a shard, which stand between
# the same two braces, and the sizes of the splits.
BRACE = re.compile("[{}]")
FILE = re.compile(r'"file": *"([^"]+)"')
DIGEST = re.compile(r'"sha256": *"([0-9a-f]{64})"')
SIZE = re.compile(rf'"({"|".join(SPLITS)})": *([0-9]{{1,18}})')

# Where rows of a file of initial states begin for each split, which are no sizes.
FIRST_ROWS = re.compile(r'"first_rows": *\{[^{}]*\}')


def repair(folder: str | Path, isolated: bool = False) -> list[str]:
    """Write the manifest and SHA256SUMS of a dataset again where they are lost or damaged.

    Every shard must be sound by itself, all must be of one config, and each split's rows without gap from 0 on.
    So that a changed or lost shard is never passed off as right, one of these must hold besides: the manifest is
    sound and fits the shards; SHA256SUMS has the hash of the manifest that follows from the shards; or nothing
    that can still be read of the two contradicts a shard. Where nothing of them can be read, nobody can tell
    whether the last shards of a split are lost, too.

    Args:
        folder: The dataset's.
        isolated: Whether to read shards in a child process, as `verify` can.

    Returns:
        Names of the files that were written.

    Raises:
        FormatError: A file, which it names, is in the way. Nothing has then been changed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FormatError(
            f"{folder}: no folder is there (no such folder); expected a dataset whose {MANIFEST} or "
            f"{CHECKSUMS} is damaged"
        )
    with locked(folder), shard_reader(isolated) as reader:
        sums = _sums(folder)
        _check_documents(folder, sums)
        manifest = _sound_manifest(folder, isolated) or _rebuilt_manifest(folder, sums, reader)
        remove_leftovers(folder, is_part)
        names = (CHECKSUMS, *(entry.file for entry in manifest.all_parts), MANIFEST)
        before = {name: _digest(folder / name) for name in names}
        manifest.save(folder)
        return [name for name, digest in before.items() if digest != _digest(folder / name)]


def _sound_manifest(folder: Path, isolated: bool) -> Manifest | None:
    """The manifest that is there, if all that it says of the shards is true."""
    try:
        manifest = load_manifest(folder)
        problems = verify(folder, isolated=isolated)
    except FormatError:
        return None
    parts = {MANIFEST, *(record.file for record in (*manifest.all_parts, *manifest.shards))}
    return None if any(problem.file in parts for problem in problems) else manifest


def _rebuilt_manifest(folder: Path, sums: dict[str, str], reader: Reader) -> Manifest:
    """The manifest that follows from the shards. Raises FormatError if anything speaks against it."""
    manifest = _manifest_of_shards(folder, reader)
    if sums.get(MANIFEST) == text_hash(manifest.to_json()):
        return manifest
    old = "".join(map(_text, [folder / MANIFEST, *_parts(folder)]))
    whole = _text(folder / CHECKSUMS) == "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    _check_claims(folder, CHECKSUMS, sums, manifest, complete=whole and MANIFEST in sums)
    _check_claims(folder, MANIFEST, _entries(old), manifest, complete=load_if_present(folder) is not None)
    for split, size in SIZE.findall(FIRST_ROWS.sub("", old)):
        if int(size) != manifest.splits[split].trajectories:
            raise FormatError(
                f"{folder}: {MANIFEST} says that {split} has {size} rows, but its shards hold "
                f"{manifest.splits[split].trajectories}. Fetch or generate the rest; if you know that nothing is "
                f"missing, remove {MANIFEST} and repair again."
            )
    return manifest


def _entries(text: str) -> dict[str, str]:
    """File name -> SHA-256, as far as the text of a manifest can be read; in time proportional to its length."""
    found = ((FILE.search(part), DIGEST.search(part)) for part in BRACE.split(text))
    return {file[1]: digest[1] for file, digest in found if file and digest}


def _manifest_of_shards(folder: Path, reader: Reader) -> Manifest:
    """The manifest of all shards in the folder. Raises FormatError if one of them is not as it should be."""
    files = [path.name for path in folder.iterdir() if is_shard(path.name)]
    records: dict[str, list[ShardRecord]] = {split: [] for split in SPLITS}
    common: Manifest | None = None
    for split in SPLITS:
        rows = 0
        for index in range(sum(file.startswith(f"{split}-") for file in files)):
            path = folder / shard_name(split, index)
            own = _manifest_of_shard(path, reader)
            common = common or own
            if any(getattr(own, key) != getattr(common, key) for key in ("config", "system", "components")):
                raise FormatError(f"{path}: comes from another config than the shards before it. {AGAIN}")
            record = own.shards[0].model_copy(update={"file": path.name})
            if not own.splits[split].shards or record.first_row != rows:
                holds = next(name for name, kept in own.splits.items() if kept.shards)
                raise FormatError(
                    f"{path}: holds rows of {holds} from {record.first_row}, expected rows of {split} from {rows}; "
                    f"it was renamed, or one before it is another. {AGAIN}"
                )
            records[split].append(record)
            rows += record.rows
    if common is None:
        raise FormatError(
            f"{folder}: no dataset: it holds no shard, as {shard_name('train', 0)} would be one"
        )
    sizes = {split: sum(record.rows for record in records[split]) for split in SPLITS}
    config = {**common.config, "dataset": {**common.config["dataset"], **sizes}}
    return Manifest.of(config, common.system, common.components, records)


def _manifest_of_shard(path: Path, reader: Reader) -> Manifest:
    if not path.is_file():
        raise FormatError(f"{path}: missing, though a later shard is there. {AGAIN}")
    for problem in reader.problems(path):
        raise FormatError(f"{path}: {problem}. {AGAIN}")
    return reader.manifest(path)


def _check_documents(folder: Path, sums: dict[str, str]) -> None:
    """Refuse documents that are not those of SHA256SUMS."""
    found = document_hashes(folder)
    for name in DOCUMENTS:
        path = folder / name
        if name in sums and found.get(name) != sums[name]:
            raise FormatError(
                f"{path}: is missing, or not the one that {CHECKSUMS} lists. Fetch it again; or remove it and its "
                f"line in {CHECKSUMS}, for `trajstore generate` with the same config writes it anew."
            )


def _check_claims(
    folder: Path, witness: str, claims: dict[str, str], manifest: Manifest, *, complete: bool
) -> None:
    """Refuse shards of which a file that could be read, in part or completely, says something else."""
    found = {shard.file: shard.sha256 for shard in manifest.shards}
    mend = f"{AGAIN} If you know that the shards are right, remove {witness} and repair again."
    for name, digest in claims.items():
        if is_shard(name) and name not in found:
            raise FormatError(f"{folder / name}: missing, but {witness} lists it. {mend}")
        if found.get(name, digest) != digest:
            raise FormatError(
                f"{folder / name}: its SHA-256 is not the one in {witness}: one was changed. {mend}"
            )
    for name in found:
        if complete and name not in claims:
            raise FormatError(f"{folder / name}: {witness} does not list it. Remove the one or the other.")


def _parts(folder: Path) -> list[Path]:
    """The files that may be parts of a manifest."""
    return sorted(path for path in folder.iterdir() if is_manifest_part(path.name))


def _sums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256, as far as SHA256SUMS can be read."""
    lines = map(SUM.fullmatch, _text(folder / CHECKSUMS).splitlines())
    return {line[2]: line[1] for line in lines if line}


def _bytes(path: Path) -> bytes | None:
    """A file's bytes, or None where there is none. Raises FormatError if it is no file of a bounded size."""
    try:
        check_text_file(path)
    except FileNotFoundError:
        return None
    except FormatError as error:
        raise FormatError(f"{error.text}; remove it", path) from None
    return path.read_bytes()


def _digest(path: Path) -> str | None:
    content = _bytes(path)
    return None if content is None else sha256(content).hexdigest()


def _text(path: Path) -> str:
    return (_bytes(path) or b"").decode(errors="replace")
