"""The manifest: which shards make up a dataset, with their hashes. Written last, and atomically."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator

from ..base.errors import FormatError
from ..base.files import write_text
from ..base.hashing import canonical_json, content_hash, file_hash, is_right, json_hash, text_hash
from ..base.plain_words import first_mistake
from ..base.representation import few, system_name, told
from ..base.section import Record
from ..base.shortage import shortage
from ..shard.limits import (
    JSON_CONTROL,
    MAX_MANIFEST_BYTES,
    check_text_file,
    read_text_file,
    regular_size,
)
from ..shard.schema import FORMAT, PARTS_VERSION, SPLITS, VERSION, shard_name
from ..shard.shard import ShardRecord, read_shard, record_of
from ..shard.statistics import Moments
from ..shard.structure import json_attribute
from .manifest_parts import (
    PartRecord,
    check_size,
    collector_paused,
    full_parts,
    needs_parts,
    parse_part,
    part_entries,
    part_record,
    part_text,
)
from .names import CHECKSUMS, DOCUMENTS, MANIFEST, is_manifest_part, is_shard

REPAIR = "`trajstore verify --repair` writes it again from the shards."
# What a run keeps, by which a folder that is none of ours is told from others.
RUN_FILES = ("best.pt", "last.pt")
# What a reader needs of the config that a dataset was made with.
CONFIG_KEYS = {
    "system": {"name"},
    "grid": {"duration", "points", "resample"},
    "dataset": {"dtype", "seed"},
    "engine": {"name"},
}


ReadPart = Callable[[PartRecord], tuple[bytes, str]]


class SplitRecord(Record):
    """One split: its size, its failed rows, the moments of its sound rows, its shards in row order."""

    trajectories: int
    failed: int
    statistics: Moments
    shards: list[ShardRecord]

    @classmethod
    def of(cls, shards: list[ShardRecord]) -> Self:
        return cls(
            trajectories=sum(shard.rows for shard in shards),
            failed=sum(shard.failed for shard in shards),
            statistics=Moments.merge(shard.statistics for shard in shards),
            shards=shards,
        )


class Manifest(Record):
    """What `manifest.json` holds; the records of parts that it lists (`format_version` 2) are in their places."""

    format: str = FORMAT
    format_version: int = VERSION
    id: str
    config: dict[str, dict[str, Any]]
    config_hash: str
    system: dict[str, Any]
    components: list[str]
    splits: dict[str, SplitRecord]

    def __repr__(self) -> str:
        rows = ", ".join(f"{split.trajectories} {name}" for name, split in self.splits.items())
        what = f"{system_name(self.config)}, {rows} rows; components {few(self.components)}"
        return told(type(self), f"{what}; {len(self.shards)} shards, {self.bytes} bytes; id {self.id}")

    __str__ = __repr__

    @model_validator(mode="after")
    def _statistics_of_all_components(self) -> Self:
        for shard in self.shards:
            if shard.statistics.count and len(shard.statistics.mean) != len(self.components):
                raise ValueError(
                    f"statistics of {shard.file} are not those of {len(self.components)} components"
                )
        for section, keys in CONFIG_KEYS.items():
            if not keys <= self.config.get(section, {}).keys():
                raise ValueError(f"config.{section} lacks one of {', '.join(sorted(keys))}")
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"splits are {', '.join(self.splits)}, expected {', '.join(SPLITS)}")
        return self

    @classmethod
    def of(
        cls,
        config: dict[str, Any],
        system: dict[str, Any],
        components: list[str],
        splits: dict[str, list[ShardRecord]],
    ) -> Self:
        """The manifest of these shards; the dataset's id hashes the config and all content hashes."""
        shards = sum(map(len, splits.values()))
        config_hash = json_hash(config)
        contents = {name: [shard.content_hash for shard in shards] for name, shards in splits.items()}
        return cls(
            format_version=PARTS_VERSION if needs_parts(shards, len(components)) else VERSION,
            id=json_hash({"config": config_hash, "contents": contents}),
            # In the order in which a shard keeps them, so that a lost manifest comes back byte for byte.
            config=json.loads(canonical_json(config)),
            config_hash=config_hash,
            system=json.loads(canonical_json(system)),
            components=components,
            splits={name: SplitRecord.of(shards) for name, shards in splits.items()},
        )

    @property
    def shards(self) -> list[ShardRecord]:
        """All shards, split by split."""
        return [shard for split in self.splits.values() for shard in split.shards]

    @cached_property
    def places(self) -> dict[str, tuple[str, ShardRecord]]:
        """Each shard's split and record by file name."""
        return {record.file: (name, record) for name, split in self.splits.items() for record in split.shards}

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards)

    @cached_property
    def parts(self) -> dict[str, list[PartRecord]]:
        """What the manifest keeps of the parts of each split, in order; none where it holds all records itself."""
        return {
            name: [part_record(name, index, records) for index, records in enumerate(self._full_parts(name))]
            for name in self.splits
        }

    @property
    def all_parts(self) -> list[PartRecord]:
        return [entry for entries in self.parts.values() for entry in entries]

    def _full_parts(self, name: str) -> list[Sequence[ShardRecord]]:
        if self.format_version == VERSION:
            return []
        return full_parts(self.splits[name].shards, len(self.components))

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        if self.format_version == VERSION:
            return _json(self.model_dump())
        value = self.model_dump(exclude={"splits"})
        value["splits"] = {}
        for name, split in self.splits.items():
            entries = self.parts[name]
            last = split.shards[sum(entry.shards for entry in entries) :]
            value["splits"][name] = {
                **split.model_dump(exclude={"shards"}),
                "parts": [entry.model_dump() for entry in entries],
                "shards": [record.model_dump() for record in last],
            }
        return _json(value)

    def save(self, folder: Path, documents: Mapping[str, str] | None = None) -> None:
        """Write documents, parts, SHA256SUMS, then the manifest: a dataset with a manifest is complete.

        documents  texts of DOCUMENTS by name; one that is left out stays as it is in the folder, if it is there

        What is already there and right is left alone; parts that the manifest does not list are removed. Raises
        FormatError if there are more shards than a manifest may list.
        """
        check_size(len(self.shards), len(self.components))
        for name, text in (documents or {}).items():
            _write_if_other(folder / name, text)
        self._write_parts(folder)
        _write_if_other(folder / CHECKSUMS, self.checksums(document_hashes(folder)))
        _write_if_other(folder / MANIFEST, self.to_json())
        listed = {entry.file for entry in self.all_parts}
        for path in folder.glob("manifest-*.json"):
            if is_manifest_part(path.name) and path.name not in listed:
                path.unlink()

    def write(self, folder: Path) -> None:
        """Write the manifest alone, with its parts."""
        self._write_parts(folder)
        _write_if_other(folder / MANIFEST, self.to_json())

    def _write_parts(self, folder: Path) -> None:
        """Those that are not there yet. One that another manifest lists is replaced after that manifest is gone."""
        for name, entries in self.parts.items():
            for entry, records in zip(entries, self._full_parts(name), strict=True):
                path = folder / entry.file
                if is_right(path, entry.sha256, entry.bytes):
                    continue
                if path.is_file() and not path.is_symlink():
                    (folder / MANIFEST).unlink(missing_ok=True)
                write_text(path, part_text(records))

    def checksums(self, documents: Mapping[str, str] | None = None) -> str:
        """The text of SHA256SUMS, as `sha256sum -c` reads it: the manifest, its parts, the shards, the documents.

        documents  SHA-256 of each document by name
        """
        lines = [
            (text_hash(self.to_json()), MANIFEST),
            *((entry.sha256, entry.file) for entry in self.all_parts),
            *((shard.sha256, shard.file) for shard in self.shards),
            *((digest, name) for name, digest in (documents or {}).items()),
        ]
        return "".join(f"{digest}  {name}\n" for digest, name in lines)


def document_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each document that the folder holds, as far as it may be read."""
    paths = [folder / name for name in DOCUMENTS]
    return {path.name: file_hash(path) for path in paths if document_problem(path) is None and path.exists()}


def document_problem(path: Path) -> str | None:
    """Why a document may not be read, in a line; None if it may be, or is not there."""
    try:
        check_text_file(path)
    except FileNotFoundError:
        return None
    except FormatError as error:
        return error.text
    return None


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write_if_other(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def load_manifest(folder: str | Path) -> Manifest:
    """Read a dataset's manifest and its parts. Raises FormatError if there is none, or it is damaged or too new."""
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


def _without_manifest(folder: Path) -> str:
    """Why a path has no manifest, and what to do about it."""
    missing = f"no dataset: {MANIFEST} is missing"
    if not folder.exists():
        return "no such folder, so no dataset"
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
    if raw.get("format_version") not in (VERSION, PARTS_VERSION):
        raise FormatError(
            f"{where}: format version {raw.get('format_version')!s:.80}, but this trajstore reads the versions "
            f"{VERSION} and {PARTS_VERSION}; upgrade trajstore"
        )
    try:
        with collector_paused():
            if raw["format_version"] == PARTS_VERSION:
                _read_parts(raw, where, read)
            manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        raise FormatError(f"{where}: {first_mistake(error)}") from None
    for problem in _order_problems(manifest):
        raise FormatError(f"{where}: {problem}; edited")
    return manifest


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
