"""One split of a dataset folder, or one HDF5 file, as a table of trajectories."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..base.errors import DataError, FormatError
from ..base.representation import system_name, told
from ..base.suggestions import did_you_mean
from ..folder.manifest_parts import collector_paused
from ..folder.manifest_reading import load_manifest
from ..folder.remote_folder import dataset_path
from ..remote.mirrors import mirror_of, register
from ..remote.opening import hold, shown
from ..shard.schema import Status
from ..shard.shard import read_attributes
from ..shard.statistics import Moments
from ..shard.structure import json_attribute, names_of, open_shard, parameter_names, values
from .block_sizes import count_blocks
from .shard_reader import States, Stretch, open_states
from .sweeps import FarParts, Sweep, each_of, near_sweeps
from .windows import Windows

# The system grants a process about 65 000 memory maps; of a dataset of more shards, those opened first are closed.
MAX_OPEN = 16_384


@dataclass(frozen=True, slots=True)
class Part:
    """A shard's place in its split: rows `first` to `first + rows`, of which `failed` are not sound."""

    folder: Path
    file: str
    first: int
    rows: int
    failed: int

    @property
    def path(self) -> Path:
        return self.folder / self.file


class Store:
    """Trajectories of one split, on disk or elsewhere.

    path   a dataset folder, or one shard (`.h5`), whose split is then its own; or the address of one
    split  "train", "validation" or "test"; None takes the split of the file

    Raises FormatError if the path is no dataset, DataError if it has no such split.
    """

    def __init__(self, path: str | Path, split: str | None) -> None:
        # Files are opened when they are first read, perhaps from another folder or by another process.
        self.path = dataset_path(path).absolute()
        if self.path.is_file():
            self._open_file(split)
        else:
            self._open_folder("train" if split is None else split)
        self._starts = np.array([part.first for part in self.parts], dtype=np.int64)
        self._states: dict[tuple[int, str], States] = {}

    def _open_folder(self, split: str) -> None:
        with collector_paused():
            self._read_manifest(split)
        with open_shard(self.parts[0].path) as file:
            self._read_header(file)

    def _read_manifest(self, split: str) -> None:
        manifest = load_manifest(self.path)
        if not isinstance(split, str) or split not in manifest.splits:
            raise DataError(
                f"{shown(self.path)}: no split {split!r}; it has {', '.join(manifest.splits)}."
                + did_you_mean(str(split), manifest.splits)
            )
        record = manifest.splits[split]
        if not record.shards:
            held = " and ".join(name for name, other in manifest.splits.items() if other.shards) or "none"
            raise DataError(
                f"{shown(self.path)}: the split {split!r} is empty, its rows are of {held}; take another dataset, or "
                f"generate it with dataset.{split} > 0"
            )
        self.parts = [
            Part(self.path, shard.file, shard.first_row, shard.rows, shard.failed) for shard in record.shards
        ]
        self.split = split
        self.id: str = manifest.id
        self.config: dict[str, Any] = manifest.config
        self.statistics = record.statistics if split == "train" else manifest.splits["train"].statistics

    def _open_file(self, split: str | None) -> None:
        with open_shard(self.path) as file:
            attributes = read_attributes(file)
            self._read_header(file)
            status = values(file, "status")
            train = attributes["split"] == "train"
            state = values(file, "state") if train else np.empty((0, 1, len(self.components)))
        if split not in (None, attributes["split"]):
            raise DataError(
                f"{shown(self.path)}: holds the split {attributes['split']!r}, not {split!r}; "
                "open the folder that it came from"
            )
        failed = int(np.count_nonzero(status != Status.OK))
        self.parts = [Part(self.path.parent, self.path.name, 0, len(status), failed)]
        self.split = str(attributes["split"])
        self.id = str(attributes["content_hash"])
        self.config = json_attribute(attributes, "config", self.path)
        self.statistics = Moments.of(state[status[: len(state)] == Status.OK])

    def _read_header(self, file: h5py.File) -> None:
        self.components = names_of(file, "component")
        self.parameters = tuple(parameter_names(file))
        self.variables = tuple(file)
        self.time = values(file, "time")

    def __repr__(self) -> str:
        size = (
            f"{len(self)} rows ({self.failed} failed) of {len(self.time)} points in {len(self.parts)} files"
        )
        return told(type(self), f"{system_name(self.config)}, {self.split}, {size}; {self.path}")

    def __len__(self) -> int:
        """Number of rows, sound or not."""
        return self.parts[-1].first + self.parts[-1].rows

    @property
    def failed(self) -> int:
        """Number of rows whose integration failed."""
        return sum(part.failed for part in self.parts)

    def sound_rows(self) -> np.ndarray | None:
        """Numbers of the sound rows, or None where all are. Opens the shards that have others."""
        if not self.failed:
            return None
        sound = np.ones(len(self), dtype=bool)
        mixed = [part for part in self.parts if part.failed]
        for part, status in zip(mixed, self._columns("status", mixed), strict=True):
            if len(status) != part.rows:
                raise FormatError(f"{part.path}: {len(status)} rows, expected {part.rows}")
            sound[part.first : part.first + part.rows] = status == Status.OK
        return np.flatnonzero(sound)

    def gather(
        self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows, name: str = "state"
    ) -> np.ndarray:
        """States (n, length, D) of the given rows, or another variable of their shape.

        `starts` are window numbers, or None for whole rows.

        Raises IndexError if a row is out of range.
        """
        if not len(rows):
            return np.empty((0, windows.length, len(self.components)))
        if not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"row {rows.max()} of a split with {len(self)} rows")
        if len(self.parts) == 1:
            return self._part(0, name).gather(rows, starts, windows)
        # Sorted by shard, each shard is read once; the last line restores the order asked for. Small integers
        # are sorted by radix, several times faster.
        kind = np.uint16 if len(self.parts) < 2**16 else np.int64
        shard = (np.searchsorted(self._starts, rows, side="right") - 1).astype(kind)
        order = np.argsort(shard, kind="stable")
        sorted_shards = shard[order]
        begins = np.flatnonzero(np.diff(sorted_shards, prepend=-1))
        sorted_rows, sorted_starts = rows[order], None if starts is None else starts[order]
        touched = sorted_shards[begins].tolist()
        shares = [slice(begin, end) for begin, end in pairwise([*begins, len(rows)])]
        whole = ()
        if self._far is not None:
            sample_bytes = self.row_bytes * windows.length // len(self.time)
            asked = {number: sorted_rows[here] for number, here in zip(touched, shares, strict=True)}
            whole = self._far.whole_for(asked, sample_bytes, self._opened(name))
        shape = (len(rows), windows.length, len(self.components))
        gathered = np.empty(shape, self._part(touched[0], name, whole=touched[0] in whole).dtype)

        def gather(number: int, here: slice) -> None:
            local = sorted_rows[here] - self._starts[number]
            chosen = None if sorted_starts is None else sorted_starts[here]
            part = self._part(number, name, whole=number in whole)
            part.gather(local, chosen, windows, out=gathered[here])

        each_of(gather, touched, shares, at_once=self.is_far)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return np.take(gathered, place, axis=0)

    def read(self, stretches: Sequence[Stretch], *, keep: bool) -> None:
        """Copy whole rows by large reads, not through a memory map; the rows of each stretch are in one shard.

        keep  False gives the pages that were read back to the system at once
        """
        numbers = np.searchsorted(self._starts, [rows[0] for rows, _ in stretches], side="right") - 1
        for number, together in groupby(zip(numbers.tolist(), stretches, strict=True), itemgetter(0)):
            here = [(rows - self._starts[number], out) for _, (rows, out) in together]
            self._part(number).read(here, keep=keep)

    def block_bounds(self, block_bytes: int) -> np.ndarray:
        """Cut the rows into blocks of at most so many bytes, none of which lies in two shards or cuts a chunk.

        Block b has the rows bounds[b] up to (without) bounds[b + 1], int64; one row, or chunk, at the least.
        """
        unit = self._part(0).unit_rows
        bounds = []
        for part in self.parts:
            whole = -(-part.rows // unit)
            blocks = count_blocks(whole, unit * self.row_bytes, block_bytes)
            bounds.append(part.first + np.arange(blocks) * whole // max(1, blocks) * unit)
        return np.append(np.concatenate(bounds), len(self)).astype(np.int64)

    @property
    def row_bytes(self) -> int:
        """Of the states of a row, as stored."""
        return self.dtype.itemsize * len(self.time) * len(self.components)

    @property
    def dtype(self) -> np.dtype:
        """Of the states of the first shard, in the machine's byte order."""
        return self._part(0).dtype

    @property
    def bytes(self) -> int:
        """Of the states of all rows, as stored."""
        return self.row_bytes * len(self)

    def column(self, name: str) -> np.ndarray:
        """A whole variable that has one entry a row (`initial_state`, `status`, a parameter)."""
        return np.concatenate(self._columns(name, self.parts))

    def _columns(self, name: str, parts: list[Part]) -> list[np.ndarray]:
        def column(part: Part) -> np.ndarray:
            with open_shard(part.path) as file:
                return values(file, name)

        return each_of(column, parts, at_once=self.is_far)

    def sweeps(self, stretches: np.ndarray) -> list[Sweep]:
        """What is read together of stretches of rows, (n, 2) int64 in ascending order, each of which is in one file.

        Opens those files elsewhere that do not come as a whole.
        """
        if self._far is None:
            return near_sweeps(len(stretches))
        parts = np.searchsorted(self._starts, stretches[:, 0], side="right") - 1
        sweeps = self._far.sweeps(stretches, parts, self._opened("state"))
        each_of(self._part, list({sweep.part for sweep in sweeps if not sweep.whole}), at_once=True)
        return sweeps

    def bring(self, sweep: Sweep) -> None:
        """Have by one request what a sweep in a file elsewhere reads."""
        if sweep.part is not None:
            part = self._part(sweep.part, whole=sweep.whole)
            if not sweep.whole:
                part.bring(*(row - self.parts[sweep.part].first for row in sweep.rows))

    @cached_property
    def _far(self) -> FarParts | None:
        """Of a folder elsewhere."""
        if not self.is_far:
            return None
        rows = np.array([part.rows for part in self.parts])
        return FarParts([part.path for part in self.parts], rows, self.row_bytes)

    @property
    def is_far(self) -> bool:
        """Whether files may lie elsewhere."""
        return mirror_of(self.path) is not None

    def _opened(self, name: str) -> list[int]:
        return [number for number, known in list(self._states) if known == name]

    def _part(self, number: int, name: str = "state", *, whole: bool = False) -> States:
        if whole:
            hold(self.parts[number].path)
        states = self._states.get((number, name))
        if states is None:
            part = self.parts[number]
            states = open_states(part.path, name)
            expected = (part.rows, len(self.time), len(self.components))
            if states.shape != expected:
                raise FormatError(f"{part.path}: states of shape {states.shape}, expected {expected}")
            if len(self._states) >= MAX_OPEN:
                # Threads may be here at once.
                self._states.pop(next(iter(list(self._states))), None)
            self._states[number, name] = states
        return states

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker opens the files itself; maps and handles do not travel.
        return {**self.__dict__, "_states": {}, "mirror": mirror_of(self.path)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if mirror := state.pop("mirror", None):
            register(mirror)
        self.__dict__.update(state)
