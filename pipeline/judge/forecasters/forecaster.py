"""What a forecaster is, and what baselines are fitted on."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from ....data.batches.dataset import TrajectoryDataset
from ....data.batches.windows import Windows


class Forecaster(Protocol):
    """Goes on from a history."""

    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        """The next states.

        Args:
            history: (N, W, D) float64 in raw units, the latest state last.
            steps: How many.
            parameters: (N, P) of the system.

        Returns:
            (N, steps, D) float64 in raw units; what is not finite counts as wrong.
        """
        ...


@dataclass(frozen=True)
class Pairs:
    """Neighbouring states of a split: `before` and `after` (N, D) float64, `parameters` (N, P); a `step` apart."""

    before: np.ndarray
    after: np.ndarray
    parameters: np.ndarray
    step: float

    @classmethod
    def of(cls, dataset: TrajectoryDataset, names: tuple[str, ...], most: int) -> Self:
        """At most so many, spread evenly over the rows of a split; with these parameters of the system."""
        windows = Windows(len(dataset.time), 2)
        total = dataset.trajectories * windows.per_row
        numbers = np.linspace(0, total - 1, min(total, most)).astype(np.int64)
        rows, starts = windows.locate(numbers)
        rows = dataset.stored_rows(rows)
        states = dataset.store.gather(rows, starts, windows).astype(np.float64)
        columns = [dataset.store.column(name)[rows] for name in names]
        parameters = np.stack(columns, axis=1) if columns else np.empty((len(rows), 0))
        return cls(states[:, 0], states[:, 1], parameters, float(np.diff(dataset.time).mean()))


class Baseline:
    """A forecaster that is fitted within seconds, on neighbouring states of the train split."""

    @classmethod
    def fit(cls, train: Pairs, validation: Pairs) -> Self | None:
        """None where it makes no sense for such states. `validation` decides what is to be chosen."""
        raise NotImplementedError

    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        """As of every forecaster."""
        raise NotImplementedError
