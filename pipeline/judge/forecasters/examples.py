"""What baselines are fitted on: neighbouring states, and stretches of rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ....data.batches.dataset import TrajectoryDataset
from ....data.batches.windows import Windows


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
        length = min(len(dataset.time), points)
        _, stretches, _ = _windows(dataset, length, max(1, points // length))
        return cls(Pairs(states[:, 0], states[:, 1], parameters, step), Series(stretches))


def _windows(dataset: TrajectoryDataset, length: int, most: int) -> tuple[int, np.ndarray, np.ndarray]:
    """At most so many windows, spread evenly over the rows of a split: how many, states (N, L, D), rows (N,)."""
    windows = Windows(len(dataset.time), length)
    total = dataset.trajectories * windows.per_row
    numbers = np.linspace(0, total - 1, min(total, most)).astype(np.int64)
    rows, starts = windows.locate(numbers)
    rows = dataset.stored_rows(rows)
    states = dataset.store.gather(rows, starts, windows).astype(np.float64)
    return len(numbers), states, rows
