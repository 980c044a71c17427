"""Rows that come in any portions -> a dataset folder that appears whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from os.path import lexists
from pathlib import Path
from typing import Any

import numpy as np

from ...data.base.errors import DataError
from ...data.folder.bystanders import is_bystander
from ...data.folder.manifest import Manifest
from ...data.folder.stated_grid import shard_rows_of
from ...data.shard.rows import join_rows, take_rows
from ...data.shard.schema import SPLITS, shard_name
from ...data.shard.shard import Shard, ShardRecord, write_shard
from ..describe.attributes import shared_attributes
from ..describe.documents import save_dataset
from ..runtime.lock import locked


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a hidden folder that becomes `path` when the block ends well, and is removed otherwise.

    What a killed process left is cleared away. Raises DataError if `path` holds anything, or lies in a dataset.
    """
    path = path.absolute()
    beside = list(path.iterdir()) if path.is_dir() else []
    if lexists(path) and not (path.is_dir() and all(is_bystander(each.name) for each in beside)):
        raise DataError(f"{path}: exists; choose a new or empty folder")
    # The lock lies beside the folder that is moved, in one of its own, which nobody else would name so.
    work = path.with_name(f".{path.name}.trajstore-new")
    part = work / path.name
    try:
        with locked(work, path):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            try:
                yield part
                for each in beside:
                    each.rename(part / each.name)
                part.rename(path)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            work.rmdir()


class DatasetWriter:
    """Cuts rows into shards and writes them; `finish` writes the manifest.

    folder  an empty folder
    config  as in a manifest, without the sizes of the splits; `dataset` has dtype, seed, shard_rows, compression,
            title, license and creator, `grid` perhaps grids of splits
    engine  what the shards say of their integrator
    """

    def __init__(self, folder: Path, config: dict[str, Any], engine: dict[str, Any]) -> None:
        self.folder, self.config = folder, config
        self._waiting: dict[str, list[Shard]] = {split: [] for split in SPLITS}
        self._records: dict[str, list[ShardRecord]] = {split: [] for split in SPLITS}
        self._rows: dict[str, int] = dict.fromkeys(SPLITS, 0)
        self._components: tuple[str, ...] = ()
        dataset = config["dataset"]
        self._shard_rows = {split: shard_rows_of(config, split) for split in SPLITS}
        self._dtype = np.dtype(dataset["dtype"])
        self._compression = None if dataset["compression"] == "none" else dataset["compression"]
        self._attributes = shared_attributes(config, engine)

    def add(self, split: str, rows: Shard) -> None:
        """Append rows to a split; their numbers and attributes are set anew."""
        self._components = rows.components
        if not len(rows.status):
            return
        waiting, size = self._waiting[split], self._shard_rows[split]
        waiting.append(rows)
        while sum(len(part.status) for part in waiting) >= size:
            joined = join_rows(waiting)
            self._write(split, take_rows(joined, slice(size)))
            waiting[:] = [take_rows(joined, slice(size, None))]

    def finish(self) -> Manifest:
        """Write what is left, and the manifest. Raises DataError if there are no rows at all."""
        for split, waiting in self._waiting.items():
            if any(len(part.status) for part in waiting):
                self._write(split, join_rows(waiting))
        if not sum(self._rows.values()):
            raise DataError("no rows are left; choose less narrowly")
        config = {**self.config, "dataset": {**self.config["dataset"], **self._rows}}
        manifest = Manifest.of(config, config["system"], list(self._components), self._records)
        save_dataset(self.folder, manifest)
        return manifest

    def _write(self, split: str, rows: Shard) -> None:
        records = self._records[split]
        first = self._rows[split]
        over_time = {name: values.astype(self._dtype, copy=False) for name, values in rows.over_time.items()}
        shard = replace(
            rows,
            state=over_time.pop("state"),
            optional={**rows.optional, **over_time},
            trajectory=np.arange(first, first + len(rows.status)),
            attributes={**self._attributes, "split": split, "first_row": first},
        )
        records.append(write_shard(self.folder / shard_name(split, len(records)), shard, self._compression))
        self._rows[split] += len(rows.status)
