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
    """Rollouts that begin together.

    Attributes:
        numbers: (n,) of the plan.
        rows: (n,) of the split.
        begin: The point of the grid at which they start.
        history: (n, W, D) float64 true states in raw units, the last of them the start.
        true: (n, T, D) the start and what follows.
        parameters: (n, P) of the system.
        starts: (n, S) all states of the system at the start; None of measured data.
    """

    numbers: np.ndarray
    rows: np.ndarray
    begin: int
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
        size = max(1, GROUP_BYTES // (8 * width * (self.warmup + self.steps + 1)))
        for begin in np.unique(self.begins):
            numbers = np.flatnonzero(self.begins == begin)
            for first in range(0, len(numbers), size):
                group = self._group(test, truth, numbers[first : first + size], int(begin))
                if len(group.rows):
                    yield group

    def _group(self, test: TrajectoryDataset, truth: Truth | None, numbers: np.ndarray, begin: int) -> Group:
        first, rows = begin - self.warmup, self.rows[numbers]
        if truth is None or self.stored:
            windows = Windows(len(test.time), self.warmup + self.steps + 1)
            variable = CLEAN_STATE if CLEAN_STATE in test.store.variables else "state"
            found = test.store.gather(rows, np.full(len(rows), first), windows, variable)
            states = found.astype(np.float64)
            history, true = states[:, : self.warmup + 1], states[:, self.warmup :]
            if truth is None:
                return Group(numbers, rows, begin, history, true, np.empty((len(rows), 0)))
            whole, sound = truth.along(rows, test.time[begin : begin + 1])
            starts = np.full((len(rows), len(truth.system.states)), np.nan)
            starts[sound] = whole[:, 0]
            return Group(numbers, rows, begin, history, true, truth.parameters(rows), starts)
        # A grid may begin later than its rows, and rollouts begin where it does.
        times = test.time[first] + self.step * np.arange(self.warmup + self.steps + 1)
        states, sound = truth.along(rows, times)
        observed, rows = states[..., truth.observed], rows[sound]
        return Group(
            numbers[sound],
            rows,
            begin,
            observed[:, : self.warmup + 1],
            observed[:, self.warmup :],
            truth.parameters(rows),
            states[:, self.warmup],
        )
