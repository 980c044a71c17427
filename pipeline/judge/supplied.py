"""Predictions that another program made: arrays, which rows they are of, and where in these they begin."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike

from ...data.base.hashing import content_hash
from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.split import Store
from ...data.tasks.forecast import Forecast
from ...data.tasks.task import Task
from ..runs.files import RunError
from .movement import spread
from .predictions import Samples
from .rollouts import Group, RolloutPlan

# Of rollouts: more predictions than have so many numbers are rolled out in part, spread over all.
ROLLED_OUT_NUMBERS = 50_000_000


@dataclass(frozen=True)
class Supplied:
    """Predictions of rows of a split.

    Attributes:
        values: (N, T, D) float64 in raw units.
        rows: (N,) int64 numbers of rows in the split, each of which is sound.
        first: (N,) int64 the point of the grid at which each begins.
        left_out: How many more there were, of rows whose integration failed.
    """

    values: np.ndarray
    rows: np.ndarray
    first: np.ndarray
    left_out: int = 0

    @classmethod
    def of(cls, arrays: Mapping[str, ArrayLike], store: Store) -> Self:
        """From arrays by name, `predictions` and, unless these are whole rows, all in order, `rows` and `first`.

        Raises RunError, with both shapes, where they do not fit the split.
        """
        values = np.asarray(arrays["predictions"])
        check_predictions(values.shape, values.dtype, store)
        sound = store.sound_rows()
        sound = np.arange(len(store)) if sound is None else sound
        rows, first = (
            _rows(arrays.get("rows"), values.shape, store, sound),
            _first(arrays, values.shape, store),
        )
        kept = np.isin(rows, sound)
        if not kept.any():
            raise RunError(
                f"all {len(rows)} predictions are of rows whose integration failed; expected others"
            )
        values = values.astype(np.float64, copy=False)
        if kept.all():
            return cls(values, rows, first)
        return cls(values[kept], rows[kept], first[kept], int((~kept).sum()))

    @property
    def hash(self) -> str:
        """SHA-256 of them all."""
        return content_hash({"predictions": self.values, "rows": self.rows, "first": self.first})

    @property
    def given(self) -> int:
        """How many points each is given before it: none where one begins at the first point of its row."""
        return int(self.first.min() > 0)


class SuppliedSamples(Samples):
    """Supplied predictions, each a sample; and the rollouts that they are."""

    def __init__(self, supplied: Supplied, data: Path) -> None:
        given, (_, length, _) = supplied.given, supplied.values.shape
        super().__init__(
            TrajectoryDataset(
                data, "test", Following(given), window=length + given, stride=1, dtype=torch.float64
            )
        )
        self._supplied, test = supplied, self.test
        places = np.searchsorted(test.stored_rows(np.arange(test.trajectories)), supplied.rows)
        self._windows = places * test.windows.per_row + supplied.first - given
        numbers = supplied.values[0].size
        self._rolled_out = spread(len(self), max(1, ROLLED_OUT_NUMBERS // numbers))

    def __len__(self) -> int:
        return len(self._windows)

    def windows(self, numbers: np.ndarray) -> np.ndarray:
        return self._windows[numbers]

    def predicted(self, numbers: np.ndarray) -> np.ndarray:
        return self._supplied.values[numbers]

    def plan(self) -> RolloutPlan | None:
        """Each is a rollout, from the point before it, or from its first one where nothing is before; None if these
        are of one point.
        """
        supplied, time, chosen = self._supplied, self.test.time, self._rolled_out
        steps = self.test.windows.length - 1
        if steps < 1:
            return None
        begins = supplied.first[chosen] - supplied.given
        warmup = min(int(begins.min()), self.test.task.warmup(len(time)))
        step = float(time[1] - time[0])
        return RolloutPlan(supplied.rows[chosen], begins, warmup, steps, step, stored=True)

    def plan_free(self, starts: int, steps: int) -> RolloutPlan | None:
        """The first of the same rollouts, as long as they are."""
        plan = self.plan()
        return plan and replace(plan, rows=plan.rows[:starts], begins=plan.begins[:starts])

    def follow(self, group: Group) -> np.ndarray:
        """The start and the prediction (n, T, D) of each of a group."""
        predicted = self._supplied.values[self._rolled_out[group.numbers]]
        return np.concatenate([group.true[:, : self._supplied.given], predicted], axis=1)


class Following(Task):
    """The points of a window, behind so many that are given."""

    name = "predictions"

    def __init__(self, given: int) -> None:
        self._given = given

    def inputs(self, states: torch.Tensor, beside: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return states[:, :1]

    def targets(self, states: torch.Tensor, beside: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return states[:, self._given :]

    def target_times(self, times: np.ndarray) -> np.ndarray:
        return times[self._given :]

    def warmup(self, points: int) -> int:
        return Forecast().warmup(points)


def check_predictions(shape: tuple[int, ...], dtype: np.dtype[Any], store: Store) -> None:
    """Raises RunError, with both shapes, if predictions of this shape and type are none of the split's rows."""
    points, components = len(store.time), len(store.components)
    if dtype.kind not in "fiu":
        raise RunError(f"predictions are of the type {dtype}; expected real numbers, such as float64")
    if len(shape) != 3 or not shape[0] or shape[2] != components or not 1 <= shape[1] <= points:
        raise RunError(
            f"predictions have the shape {shape}; expected (N, T, {components}): N of them, T from 1 to {points} "
            f"points of a row, components {', '.join(store.components)}"
        )


def _rows(rows: ArrayLike | None, shape: tuple[int, ...], store: Store, sound: np.ndarray) -> np.ndarray:
    """Those that are named; else all in order, with or without the failed ones, as there are so many."""
    count, total = shape[0], len(store)
    if rows is not None:
        found = _whole_numbers("rows", rows, (count,))
        if found.min() < 0 or found.max() >= total:
            wrong = found.max() if found.max() >= total else found.min()
            raise RunError(f"rows has {wrong}; the test split has the rows 0 to {total - 1}")
        return found
    if count == total:
        return np.arange(total)
    if count == len(sound):
        return sound
    failed = f" ({len(sound)} without those that failed)" if len(sound) < total else ""
    raise RunError(
        f"predictions have the shape {shape}, and no `rows` says which rows they are of; expected ({total}, T, "
        f"{shape[2]}), one for each row of the test split{failed}, or rows of the shape ({count},)"
    )


def _first(arrays: Mapping[str, ArrayLike], shape: tuple[int, ...], store: Store) -> np.ndarray:
    """Where each begins; at the beginning of its row, if it is as long as that."""
    count, length, points = *shape[:2], len(store.time)
    if "first" not in arrays:
        if length < points:
            raise RunError(
                f"predictions have the shape {shape}, of {length} of the {points} points of a row, and no `first` "
                f"says at which they begin; expected ({count}, {points}, {shape[2]}), or first, a number or of the "
                f"shape ({count},), the index of the first predicted point"
            )
        return np.zeros(count, dtype=np.int64)
    first = arrays["first"]
    found = _whole_numbers("first", first, () if np.ndim(first) == 0 else (count,))
    if found.min() < 0 or found.max() + length > points:
        raise RunError(
            f"first is from {found.min()} to {found.max()}, of predictions of {length} points; the rows have "
            f"{points}, so expected 0 to {points - length}"
        )
    return np.broadcast_to(found, count)


def _whole_numbers(name: str, values: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """As int64. Raises RunError, with both shapes, if they are none, or not of this shape."""
    found = np.asarray(values)
    if found.shape != shape:
        raise RunError(
            f"{name} has the shape {found.shape}; expected {shape}, one for each of the predictions"
        )
    whole = found.dtype.kind in "iu" or (found.dtype.kind == "f" and bool((found == np.round(found)).all()))
    if not whole:
        raise RunError(f"{name} is of the type {found.dtype}; expected whole numbers")
    return found.astype(np.int64)
