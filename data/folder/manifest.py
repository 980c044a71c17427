"""The manifest: which shards make up a dataset, with their hashes. Written last, and atomically."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from ..base.errors import FormatError
from ..base.files import write_text
from ..base.hashing import canonical_json, is_right, json_hash, text_hash
from ..base.representation import few, system_name, told
from ..base.section import Record
from ..shard.schema import BY_SPLIT_VERSION, FORMAT, PARTS_VERSION, SPLITS, VERSION
from ..shard.shard import ShardRecord
from ..shard.statistics import Moments
from .documents import document_hashes
from .manifest_parts import (
    PartRecord,
    check_size,
    full_parts,
    needs_parts,
    part_record,
    part_text,
)
from .names import CHECKSUMS, MANIFEST, is_manifest_part
from .stated_grid import by_split, step_of

# What a reader needs of the config that a dataset was made with.
CONFIG_KEYS = {
    "system": {"name"},
    "grid": {"duration", "points", "resample"},
    "dataset": {"dtype", "seed"},
    "engine": {"name"},
}


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
    """What `manifest.json` says of a dataset, with the records that lie in parts in their places.

    Attributes:
        format: Always "trajstore".
        format_version: 1; 2 of a dataset of so many shards that their records lie in parts; 3, in parts or not, where
            a split has times or initial states of its own.
        id: A hash of the config and of the content of all shards.
        config: The sections that decide what the dataset holds, with all defaults filled in.
        config_hash: The hash of `config`.
        system: The equations, parameters and boxes, as `System.from_dict` reads them; of measured data no
            equations.
        components: Names of the observed states, in the order of the last axis of `state`.
        splits: For each split its size, its failed rows, its moments and its shards, in row order.
    """

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

    @model_validator(mode="after")
    def _version_of_what_it_says(self) -> Self:
        if by_split(self.config) != (self.format_version == BY_SPLIT_VERSION):
            raise ValueError(
                f"format_version is {self.format_version}; expected {BY_SPLIT_VERSION} where the config gives a "
                "split times or initial states of its own, and nowhere else"
            )
        try:
            for split in SPLITS if by_split(self.config) else ():
                step_of(self.config, split)
        except FormatError as error:
            raise ValueError(f"config.{error}") from None
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
        version = PARTS_VERSION if needs_parts(shards, len(components)) else VERSION
        version = BY_SPLIT_VERSION if by_split(config) else version
        config_hash = json_hash(config)
        contents = {name: [shard.content_hash for shard in shards] for name, shards in splits.items()}
        return cls(
            format_version=version,
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
    def in_parts(self) -> bool:
        """Do most records of shards lie in files of their own?"""
        if self.format_version == BY_SPLIT_VERSION:
            return needs_parts(len(self.shards), len(self.components))
        return self.format_version == PARTS_VERSION

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
        if not self.in_parts:
            return []
        return full_parts(self.splits[name].shards, len(self.components))

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        if not self.in_parts:
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


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write_if_other(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)
