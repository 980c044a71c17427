"""A few rows of a dataset, spread evenly over each split, for figures: read from disk without reading the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...data.base.errors import FormatError
from ...data.batches.shard_reader import open_states
from ...data.batches.windows import Windows
from ...data.folder.manifest import Manifest
from ...data.folder.manifest_reading import load_manifest, manifest_of_file
from ...data.shard.schema import SYSTEM_STATE, Status
from ...data.shard.structure import names_of, open_shard, values, variable
from ..judge.movement import choose, moving, spread

# Of a split: initial states shown, and trajectories; of a trajectory: samples.
STARTS = 2_000
TRAJECTORIES = 12
SAMPLES = 4_000
# How often rows are looked for that move.
TURNS = 4


@dataclass(frozen=True)
class SplitSample:
    """Rows of one split.

    rows, failed  how many the split has
    samples       of a row, and `time` (T,) of those that are drawn
    starts        (n, D) float64, initial states, as far as observed, of rows that are spread evenly over the split
    sound         (n,) bool, which of them did not fail
    states        (m, T, D), some of the sound ones among them: those that move first, others only where these are few
    numbers       (m,) int64, the row numbers of these
    """

    name: str
    rows: int
    failed: int
    samples: int
    time: np.ndarray
    starts: np.ndarray
    sound: np.ndarray
    states: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True)
class DatasetSample:
    """Samples of the splits that have rows.

    Of the longest, `time` (T,) is shorter than its grid, of `samples`, if that is long.
    """

    manifest: Manifest
    splits: list[SplitSample]

    @property
    def _longest(self) -> SplitSample:
        return max(self.splits, key=lambda split: split.time[-1])

    @property
    def time(self) -> np.ndarray:
        return self._longest.time

    @property
    def samples(self) -> int:
        return self._longest.samples


@dataclass(frozen=True)
class _Picked:
    """Rows picked from one shard, by their place in it."""

    path: Path
    first: int
    rows: np.ndarray
    starts: np.ndarray
    sound: np.ndarray


def sample_dataset(path: Path) -> DatasetSample:
    """Read the sample of a dataset folder, or of one shard.

    Raises FormatError if the path is no dataset, or the files are not what its manifest says.
    """
    manifest = manifest_of_file(path) if path.is_file() else load_manifest(path)
    if not manifest.shards:
        raise FormatError(f"{path}: has no shards, so there is nothing to draw")
    return DatasetSample(
        manifest, [_split(path, manifest, name) for name, split in manifest.splits.items() if split.shards]
    )


def _split(path: Path, manifest: Manifest, name: str) -> SplitSample:
    record, dimension = manifest.splits[name], len(manifest.components)
    with open_shard(_file(path, record.shards[0].file)) as file:
        time = values(file, "time")
    window = Windows(len(time), min(len(time), SAMPLES))
    picked = list(_pick(path, manifest, name))
    states, numbers = _moving_rows(picked, window, dimension)
    return SplitSample(
        name,
        record.trajectories,
        record.failed,
        len(time),
        time[: window.length],
        np.concatenate([np.empty((0, dimension)), *(part.starts for part in picked)]),
        np.concatenate([np.empty(0, dtype=bool), *(part.sound for part in picked)]),
        states,
        numbers,
    )


def _moving_rows(picked: list[_Picked], window: Windows, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """States and numbers of sound rows, spread over the split; where some rest, others are looked for that move."""
    sound = [(part, row) for part in picked for row in part.rows[part.sound]]
    states, numbers = np.empty((0, window.length, dimension)), np.empty(0, dtype=np.int64)
    tried: set[int] = set()
    for turn in range(TURNS):
        places = [place for place in spread(len(sound), TRAJECTORIES << turn).tolist() if place not in tried]
        places = [places[place] for place in spread(len(places), TRAJECTORIES)]
        if not places:
            break
        tried.update(places)
        rows = [sound[place] for place in places]
        states = np.concatenate([states, *_read(picked, rows, window)])
        numbers = np.append(numbers, [part.first + row for part, row in rows])
        moves = moving(states)
        kept = choose(moves, TRAJECTORIES)
        states, numbers = states[kept], numbers[kept]
        if np.count_nonzero(moves) >= TRAJECTORIES:
            break
    return states, numbers


def _read(picked: list[_Picked], rows: list[tuple[_Picked, int]], window: Windows) -> Iterator[np.ndarray]:
    """The states of these rows, which are in the order of the shards."""
    for part in picked:
        own = np.array([row for owner, row in rows if owner is part], dtype=np.int64)
        if len(own):
            yield open_states(part.path).gather(own, np.zeros_like(own), window)


def _pick(path: Path, manifest: Manifest, name: str) -> Iterator[_Picked]:
    """Every k-th row of a split, shard by shard; shards without one are not opened."""
    record = manifest.splits[name]
    step = max(1, -(-record.trajectories // STARTS))
    for shard in record.shards:
        offset = 0 if path.is_file() else -shard.first_row % step
        if offset >= shard.rows:
            continue
        part = _file(path, shard.file)
        with open_shard(part) as file:
            rows, starts = np.arange(offset, shard.rows, step), variable(file, "initial_state")
            names = names_of(file, SYSTEM_STATE if SYSTEM_STATE in file else "component")
            if starts.shape != (shard.rows, len(names)) or not set(manifest.components) <= set(names):
                raise FormatError(
                    f"{part}: initial states of shape {starts.shape}, expected those of "
                    f"{', '.join(manifest.components)} of {shard.rows} rows"
                )
            status = variable(file, "status")[offset::step]
            columns = [names.index(name) for name in manifest.components]
            yield _Picked(part, shard.first_row, rows, starts[offset::step][:, columns], status == Status.OK)


def _file(path: Path, name: str) -> Path:
    return path if path.is_file() else path / name
