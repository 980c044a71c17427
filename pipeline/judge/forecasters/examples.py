"""What baselines are fitted on: neighbouring states, and stretches of rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ....data.batches.dataset import TrajectoryDataset
from ....data.batches.windows import Windows
from ....data.shard.statistics import CONSTANT

# Of stretches, from so many rows at least, where there are as many; and the part that is held out.
ROWS, HELD_OUT = 5, 0.2


@dataclass(frozen=True)
class Pairs:
    """Neighbouring states of a split: `before` and `after` (N, D) float64, `parameters` (N, P); a `step` apart."""

    before: np.ndarray
    after: np.ndarray
    parameters: np.ndarray
    step: float


@dataclass(frozen=True)
class Series:
    """Stretches of rows: `states` (N, L, D) float64."""

    states: np.ndarray

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (D,); 1 for that of a component that never varies."""
        return self.states.mean(axis=(0, 1)), scales(self.states)


def scales(values: np.ndarray) -> np.ndarray:
    """The standard deviation (D,) of each of the components of values (..., D); 1 where that is rounding alone."""
    axes = tuple(range(values.ndim - 1))
    deviation = values.std(axis=axes)
    return np.where(deviation > CONSTANT * np.abs(values).max(axis=axes), deviation, 1.0)


@dataclass(frozen=True)
class Examples:
    """Of one split, in raw units: pairs from all over it, and stretches as long as its rows allow."""

    pairs: Pairs
    series: Series

    @classmethod
    def of(cls, dataset: TrajectoryDataset, names: tuple[str, ...], pairs: int, points: int) -> Self:
        """At most so many pairs, with these parameters of the system; and stretches of so many points in all."""
        found, states, rows = _windows(dataset, 2, pairs)
        columns = [dataset.store.column(name)[rows] for name in names]
        parameters = np.stack(columns, axis=1) if columns else np.empty((found, 0))
        step = float(np.diff(dataset.time).mean())
        # Of several rows, for one alone may have one value of what is drawn by row.
        several = min(dataset.trajectories, ROWS)
        length = min(len(dataset.time), max(2, points // several))
        _, stretches, _ = _windows(dataset, length, max(1, points // length))
        return cls(Pairs(states[:, 0], states[:, 1], parameters, step), Series(stretches))

    def parted(self) -> tuple[Self, Self]:
        """Where there is no validation split: those to fit, and the last fifth of pairs and stretches held out."""
        pairs, states = self.pairs, self.series.states
        last = max(1, round(HELD_OUT * len(pairs.before)))
        points = max(2, round(HELD_OUT * states.shape[1]))
        if len(pairs.before) < 2 or states.shape[1] < 2 * points:
            return self, self
        parts = [
            Pairs(pairs.before[part], pairs.after[part], pairs.parameters[part], pairs.step)
            for part in (slice(None, -last), slice(-last, None))
        ]
        kind = type(self)
        return kind(parts[0], Series(states[:, :-points])), kind(parts[1], Series(states[:, -points:]))


def _windows(dataset: TrajectoryDataset, length: int, most: int) -> tuple[int, np.ndarray, np.ndarray]:
    """At most so many windows, spread evenly over the rows of a split: how many, states (N, L, D), rows (N,)."""
    windows = Windows(len(dataset.time), length)
    total = dataset.trajectories * windows.per_row
    numbers = np.linspace(0, total - 1, min(total, most)).astype(np.int64)
    rows, starts = windows.locate(numbers)
    rows = dataset.stored_rows(rows)
    states = dataset.store.gather(rows, starts, windows).astype(np.float64)
    return len(numbers), states, rows
