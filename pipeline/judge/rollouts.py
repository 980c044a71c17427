"""Long rollouts: where they begin, which history they begin from, and what truly follows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.windows import Windows
from ...data.shard.schema import CLEAN_STATE
from ..config.learning import EvaluationSection
from .forecasters.forecaster import Forecaster
from .movement import spread
from .truth import Truth

# Of states that are held at once.
GROUP_BYTES = 32 << 20
# However long rows are: statistics of an attractor need no more, and a network steps for minutes.
MOST_STEPS = 100_000


@dataclass(frozen=True)
class Group:
    """Rollouts that are foretold together.

    Attributes:
        numbers: (n,) of the plan.
        rows: (n,) of the split.
        begins: (n,) the point of its row at which each starts.
        history: (n, W, D) float64 true states in raw units, the last of them the start.
        true: (n, T, D) the start and what follows.
        parameters: (n, P) of the system.
        starts: (n, S) all states of the system at the start; None of measured data.
    """

    numbers: np.ndarray
    rows: np.ndarray
    begins: np.ndarray
    history: np.ndarray
    true: np.ndarray
    parameters: np.ndarray
    starts: np.ndarray | None = None

    def continued(self, forecaster: Forecaster) -> np.ndarray:
        """The start and what a forecaster foretells from the history, (n, T, D)."""
        # What leaves all bounds is not finite, which metrics count.
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = forecaster.go_on(self.history, self.true.shape[1] - 1, self.parameters)
        return np.concatenate([self.true[:, :1], predicted], axis=1)


@dataclass(frozen=True)
class RolloutPlan:
    """From where, and for how long.

    Attributes:
        rows: (N,) numbers of rows in the split, which hold one start each, or several if there are fewer of them.
        begins: (N,) the point of its row at which each starts.
        warmup: Points of history before it.
        steps: To be foretold.
        step: Time from point to point.
        stored: Whether what truly follows are the stored rows, without noise where that is stored, though there are
            equations: those of predictions of the rows themselves.
    """

    rows: np.ndarray
    begins: np.ndarray
    warmup: int
    steps: int
    step: float
    stored: bool = False

    @property
    def times(self) -> np.ndarray:
        """(steps + 1,) after the start, in units of time."""
        return self.step * np.arange(self.steps + 1)

    @classmethod
    def of(cls, test: TrajectoryDataset, settings: EvaluationSection, goes_beyond: bool) -> Self | None:
        """As a config says."""
        length = test.task.rollout_points(test.windows.length, len(test.time))
        steps = min(settings.rollout_lengths * (length - 1), MOST_STEPS)
        return cls.along(test, settings.rollouts, steps, settings.warmup, goes_beyond)

    @classmethod
    def along(
        cls, test: TrajectoryDataset, starts: int, steps: int, warmup: int | None, goes_beyond: bool
    ) -> Self | None:
        """So many starts, spread over the rows of a split; None where windows are of one point, rows too short, or
        inputs given at every step.

        Args:
            test: The split.
            starts: How many in all.
            steps: Of each; fewer, where the truth ends before.
            warmup: Points of history; None is what the task has.
            goes_beyond: Whether the truth can be integrated beyond the end of a row.
        """
        points = len(test.time)
        window = test.task.rollout_points(test.windows.length, points)
        warmup = test.task.warmup(points) if warmup is None else warmup
        last = points - 1
        if test.task.driven or window < 2 or warmup > last:
            return None
        room = last - warmup
        rows = test.stored_rows(np.arange(min(starts, test.trajectories)))
        several = -(-starts // len(rows))
        if not goes_beyond:
            steps = min(steps, room if several == 1 else max(1, room // 2))
            room -= steps
            if room < 0 or steps < 1:
                return None
        # A window apart, if there is room, or a rollout, where that is shorter: neighbours say the same.
        apart = max(1, min(window - 1, steps, room // several))
        places = warmup + spread(room + 1, max(1, min(several, room // apart)))
        begins, rows = np.meshgrid(places, rows)
        chosen = slice(starts)
        step = float(test.time[1] - test.time[0])
        return cls(rows.ravel()[chosen], begins.ravel()[chosen], warmup, steps, step)

    def groups(self, test: TrajectoryDataset, truth: Truth | None) -> Iterator[Group]:
        """All of them, in groups of bounded size; without those whose truth cannot be integrated."""
        width = len(test.components) if truth is None else len(truth.system.states)
        size = max(1, GROUP_BYTES // (8 * width * self._length))
        # A row is integrated from its beginning: its starts come together.
        by_row = np.lexsort((self.begins, self.rows))
        for first in range(0, len(by_row), size):
            numbers = by_row[first : first + size]
            # Other rows at the same time come next to each other: each stands in for its neighbour as a floor.
            numbers = numbers[np.lexsort((self.rows[numbers], self.begins[numbers]))]
            group = self._group(test, truth, numbers)
            if len(group.rows):
                yield group

    @property
    def _length(self) -> int:
        return self.warmup + self.steps + 1

    def _group(self, test: TrajectoryDataset, truth: Truth | None, numbers: np.ndarray) -> Group:
        rows, begins = self.rows[numbers], self.begins[numbers]
        if truth is None or self.stored:
            variable = CLEAN_STATE if CLEAN_STATE in test.store.variables else "state"
            windows = Windows(len(test.time), self._length)
            found = test.store.gather(rows, begins - self.warmup, windows, variable)
            states = found.astype(np.float64)
            history, true = states[:, : self.warmup + 1], states[:, self.warmup :]
            if truth is None:
                return Group(numbers, rows, begins, history, true, np.empty((len(rows), 0)))
            starts = np.full((len(rows), len(truth.system.states)), np.nan)
            whole, sound = integrated(truth, test.time, rows, begins[:, None])
            starts[sound] = whole[:, 0]
            return Group(numbers, rows, begins, history, true, truth.parameters(rows), starts)
        points = begins[:, None] + np.arange(-self.warmup, self.steps + 1)
        states, sound = integrated(truth, test.time, rows, points)
        observed, rows = states[..., truth.observed], rows[sound]
        return Group(
            numbers[sound],
            rows,
            begins[sound],
            observed[:, : self.warmup + 1],
            observed[:, self.warmup :],
            truth.parameters(rows),
            states[:, self.warmup],
        )


def integrated(
    truth: Truth, time: np.ndarray, rows: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """All states (n, T, S) of rows (N,) at points (N, T) of the grid and beyond it; and which do not fail, (N,)."""
    each, row = np.unique(rows, return_inverse=True)
    needed, place = np.unique(points, return_inverse=True)
    last, step = len(time) - 1, time[1] - time[0]
    times = np.where(needed > last, time[-1] + step * (needed - last), time[np.minimum(needed, last)])
    states, sound = truth.along(each, times)
    kept = np.cumsum(sound) - 1
    sound = sound[row]
    return states[kept[row][sound][:, None], place.reshape(points.shape)[sound]], sound
