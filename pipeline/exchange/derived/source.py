"""A dataset that others are cut from: its shards one by one, and what a derived one says of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ....data.base.errors import DataError, FormatError
from ....data.base.hashing import content_hash
from ....data.folder.manifest import Manifest
from ....data.folder.manifest_reading import load_manifest, manifest_of_file
from ....data.folder.remote_folder import dataset_path
from ....data.folder.stated_grid import grid_of
from ....data.remote.opening import shown
from ....data.shard.rows import take_rows
from ....data.shard.schema import without_sizes
from ....data.shard.shard import Shard, ShardRecord, read_shard
from ....data.shard.structure import json_attribute
from ...config.plain_values import check_texts


@dataclass(frozen=True)
class Source:
    """A dataset folder, or one shard, to read from."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path) -> "Source":
        """By its path or address. Raises FormatError if it is no dataset, or an empty one."""
        path = dataset_path(path)
        source = cls(path, manifest_of_file(path) if path.is_file() else load_manifest(path))
        if not source.manifest.shards:
            raise FormatError(f"{shown(path)}: has no shards")
        return source

    @property
    def recipe(self) -> dict[str, Any]:
        """Its config without the sizes of the splits, and with what a writer needs, which others may leave out."""
        config = self.manifest.config
        dataset = without_sizes(config)["dataset"]
        rows, packed = dataset.get("shard_rows"), dataset.get("compression")
        largest = max(record.rows for record in self.manifest.shards)
        dataset |= {
            "shard_rows": rows if isinstance(rows, int) and rows > 0 else largest,
            "compression": packed if packed in ("none", "gzip") else "none",
            "dtype": self.first.state.dtype.name,
            **{key: self.first.attributes[key] for key in ("title", "license", "creator", "seed")},
        }
        return {**config, "dataset": dataset}

    @cached_property
    def first(self) -> Shard:
        """Its first shard without its rows, for what all have in common."""
        return take_rows(self.read(self.manifest.shards[0]), np.arange(0))

    @cached_property
    def firsts(self) -> dict[str, Shard]:
        """The same of each split that has rows, for what its rows have in common."""
        return {
            split: self.first
            if record.shards[0] is self.manifest.shards[0]
            else take_rows(self.read(record.shards[0]), np.arange(0))
            for split, record in self.manifest.splits.items()
            if record.shards
        }

    def grid_of(self, split: str) -> dict[str, Any]:
        """What its config says of the times of a split's rows."""
        return grid_of(self.manifest.config, split)

    @property
    def engine(self) -> dict[str, Any]:
        """What its shards say of their integrator."""
        return json_attribute(self.first.attributes, "engine", self.path)

    def read(self, record: ShardRecord) -> Shard:
        """A shard as the manifest knows it. Raises FormatError if it has changed since."""
        path = self.path if self.path.is_file() else self.path / record.file
        shard = read_shard(path)
        if content_hash(shard.variables) != record.content_hash:
            raise FormatError(
                f"{shown(path)}: is not the shard that the manifest lists; see `trajstore verify`"
            )
        return shard

    def shards(self, split: str) -> Iterator[Shard]:
        """The shards of a split, in row order. Raises FormatError if one is not of the first one's kind."""
        for record in self.manifest.splits[split].shards:
            shard = self.read(record)
            kinds = [
                (
                    {name: values.dtype for name, values in each.over_time.items()},
                    each.components,
                    sorted(each.parameters),
                    sorted(each.optional),
                    each.system_states,
                )
                for each in (shard, self.first)
            ]
            if kinds[0] != kinds[1] or not np.array_equal(shard.time, self.firsts[split].time):
                raise FormatError(
                    f"{shown(self.path)}: {record.file} has another dtype, grid, components or parameters than "
                    f"{self.manifest.shards[0].file}; see `trajstore verify`"
                )
            yield shard

    def provenance(self, restated: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What a dataset that is made from this one says of it, with what it restates of the title and the like."""
        kept = {"id": self.manifest.id, "config_hash": self.manifest.config_hash, "engine": self.engine}
        kept |= {key: self.first.attributes[key] for key in restated or ()}
        kept["software"] = json_attribute(self.first.attributes, "software", self.path)
        derived = self.manifest.config.get("derived")
        return {**kept, "derived": derived} if derived else kept


def restated(title: str | None, creator: str | None) -> dict[str, str]:
    """What a dataset that is made from others says otherwise than these. Raises DataError for what is no text."""
    given = {key: value for key, value in (("title", title), ("creator", creator)) if value is not None}
    for key, value in given.items():
        if not isinstance(value, str) or not value.strip():
            raise DataError(f"{key} is {value!r:.80}; expected text")
    check_texts(given)
    return given


def derived_config(
    operation: str, arguments: dict[str, Any], sources: Sequence[Source], said: Mapping[str, str]
) -> dict[str, Any]:
    """The config of what is made from these, the first of which gives all but what is `restated`."""
    config = sources[0].recipe
    derived = {
        "operation": operation,
        "arguments": arguments,
        "sources": [source.provenance(said) for source in sources],
    }
    return {**config, "derived": derived, "dataset": {**config["dataset"], **said}}


def with_origin(shard: Shard, source: int) -> Shard:
    """The same rows, which say that they come from this source."""
    told = origin(len(shard.status), source, shard.trajectory)
    return replace(shard, optional={**shard.optional, **told})


def origin(rows: int, source: int, numbers: np.ndarray) -> dict[str, np.ndarray]:
    """The variables that tell of each row where it comes from."""
    return {"source": np.full(rows, source, dtype=np.int32), "source_row": numbers.astype(np.int64)}
