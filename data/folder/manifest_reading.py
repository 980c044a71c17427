"""A manifest read back from a folder, a text or a single shard, which may be a stranger's."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..base.errors import FormatError
from ..base.files import has_size
from ..base.hashing import canonical_json, content_hash
from ..base.plain_words import first_mistake
from ..base.shortage import shortage
from ..remote.address import meant, scheme_of
from ..remote.opening import is_here
from ..shard.limits import JSON_CONTROL, MAX_MANIFEST_BYTES, read_text_file, regular_size
from ..shard.schema import BY_SPLIT_VERSION, FORMAT, PARTS_VERSION, SPLITS, VERSION, shard_name
from ..shard.shard import read_shard, record_of
from ..shard.structure import json_attribute
from .manifest import Manifest
from .manifest_parts import PartRecord, collector_paused, parse_part, part_entries
from .names import MANIFEST, is_shard

REPAIR = "`trajstore verify --repair` writes it again from the shards."
# What a run keeps, by which a folder that is none of ours is told from others.
RUN_FILES = ("best.pt", "last.pt")
READ = (VERSION, PARTS_VERSION, BY_SPLIT_VERSION)

ReadPart = Callable[[PartRecord], tuple[bytes, str]]


def load_manifest(folder: str | Path) -> Manifest:
    """Read the manifest of a dataset's folder, or of its address, with its parts.

    Raises:
        FormatError: There is no manifest, or it is damaged, or of a later format.
    """
    if scheme_of(folder) is not None:
        from .remote_folder import dataset_path

        folder = dataset_path(folder)
    folder = Path(folder)
    path = folder / MANIFEST
    try:
        text = read_text_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FormatError(f"{folder}: {_without_manifest(folder)}") from None
    except (ValueError, OSError) as error:
        if short := shortage(error):
            raise short from None
        raise FormatError(f"{path}: cannot be read as JSON ({error}); generate the dataset again") from None
    return parse_manifest(text, path, lambda entry: _part_in(folder, entry))


def _part_in(folder: Path, entry: PartRecord) -> tuple[bytes, str]:
    path = folder / entry.file
    try:
        if regular_size(path) != entry.bytes:
            raise FormatError(f"{path}: has not the {entry.bytes} bytes that {MANIFEST} says. {REPAIR}")
        return path.read_bytes(), str(path)
    except FileNotFoundError:
        raise FormatError(f"{path}: missing, but {MANIFEST} lists it. {REPAIR}") from None
    except OSError as error:
        raise shortage(error) or FormatError(f"{path}: cannot be read ({error})") from None


def lacking(folder: Path, manifest: Manifest) -> list[str]:
    """Files of the manifest's shards that a folder has not, or not with all their bytes; none of them is read.

    Nothing is said of those that lie elsewhere.
    """
    return [
        record.file
        for record in manifest.shards
        if is_here(folder / record.file) and not has_size(folder / record.file, record.bytes)
    ]


def _without_manifest(folder: Path) -> str:
    """Why a path has no manifest, and what to do about it."""
    missing = f"no dataset: {MANIFEST} is missing"
    if not folder.exists():
        return f"no such folder, so no dataset{meant(folder)}"
    if not folder.is_dir():
        return "no dataset, but a file; expected a folder or a shard"
    if any((folder / name).is_file() for name in RUN_FILES):
        return f"{missing}; the folder is a run: see `trajstore evaluate`"
    if any(is_shard(path.name) for path in folder.iterdir()):
        return (
            f"{missing}, but shards are there. If `trajstore generate` was interrupted, run it again with the same "
            f"config; if the manifest was lost, `trajstore verify --repair {folder}` writes it again."
        )
    return f"{missing}. Make one with `trajstore generate CONFIG --out DIR`."


def parse_manifest(text: str, where: str | Path, read: ReadPart) -> Manifest:
    """The manifest that a text, which lies at `where`, holds. Raises FormatError if it is damaged or too new.

    read  gives the bytes of a part that it lists, and where they lie
    """
    try:
        raw = json.loads(text)
        # Neither NaN nor half a surrogate pair may hide in it: they have no place in a hash.
        text = canonical_json(raw)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{where}: cannot be read as JSON ({error}); generate the dataset again, or fetch it again"
        ) from None
    if JSON_CONTROL.search(text):
        raise FormatError(f"{where}: holds control characters; expected plain text")
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise FormatError(f'{where}: no trajstore manifest: "format" is not "{FORMAT}"')
    if raw.get("format_version") not in READ:
        raise FormatError(
            f"{where}: format version {raw.get('format_version')!s:.80}, but this trajstore reads the versions "
            f"{VERSION} to {READ[-1]}; upgrade trajstore"
        )
    try:
        with collector_paused():
            if _has_parts(raw):
                _read_parts(raw, where, read)
            manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        raise FormatError(f"{where}: {first_mistake(error)}") from None
    for problem in _order_problems(manifest):
        raise FormatError(f"{where}: {problem}; edited")
    return manifest


def _has_parts(raw: dict[str, Any]) -> bool:
    if raw["format_version"] != BY_SPLIT_VERSION:
        return raw["format_version"] == PARTS_VERSION
    splits = raw.get("splits")
    found = splits.values() if isinstance(splits, dict) else ()
    return any(isinstance(split, dict) and "parts" in split for split in found)


def _read_parts(raw: dict[str, Any], where: str | Path, read: ReadPart) -> None:
    """Put the records of all parts before those of the manifest itself. Raises FormatError, ValidationError."""
    splits = raw.get("splits")
    # What is no split is refused by `Manifest`.
    found = splits.items() if isinstance(splits, dict) else ()
    kept = {name: split for name, split in found if name in SPLITS and isinstance(split, dict)}
    try:
        entries = {name: part_entries(name, split.pop("parts", None)) for name, split in kept.items()}
    except ValidationError:
        raise
    except ValueError as error:
        raise FormatError(f"{where}: {error}; edited") from None
    size = sum(entry.bytes for listed in entries.values() for entry in listed)
    if size > MAX_MANIFEST_BYTES:
        raise FormatError(f"{where}: lists parts of {size} bytes; at most {MAX_MANIFEST_BYTES} are read")
    for name, split in kept.items():
        records = [record for entry in entries[name] for record in parse_part(entry, *read(entry))]
        last = split.get("shards")
        if isinstance(last, list):
            split["shards"] = [*records, *last]


def _order_problems(manifest: Manifest) -> Iterator[str]:
    """How the shards of a split are not all its rows, each once and in order."""
    for split, kept in manifest.splits.items():
        rows = 0
        for index, record in enumerate(kept.shards):
            if record.file != shard_name(split, index):
                yield f"{record.file} stands in the place of {shard_name(split, index)}, or is there twice"
            if record.first_row != rows:
                yield f"{record.file} begins at row {record.first_row}, expected {rows}"
            rows += record.rows


def manifest_of_file(path: Path) -> Manifest:
    """The manifest that one shard would have by itself, whatever its file is called; its id is its content hash.

    Raises FormatError if the file is no shard, or its attributes do not say what a manifest needs.
    """
    shard = read_shard(path)
    split = str(shard.attributes["split"])
    record = record_of(path, shard, shard_name(split, 0), content_hash(shard.variables))
    config = json_attribute(shard.attributes, "config", path)
    system = json_attribute(shard.attributes, "system", path)
    records = {**{name: [] for name in SPLITS}, split: [record]}
    try:
        manifest = Manifest.of(config, system, list(shard.components), records)
    except ValidationError as error:
        raise FormatError(error.errors()[0]["msg"], path) from None
    return manifest.model_copy(update={"id": record.content_hash})


def load_if_present(folder: Path) -> Manifest | None:
    """The manifest, or None where there is no sound one."""
    try:
        return load_manifest(folder)
    except FormatError:
        return None
