"""Rows of a field whose steps are halved until they err no more than they may, each row for itself."""

import numpy as np

from .....data.shard.schema import Status
from .gathered import lasting
from .modes import ORDER, Modes

# A step is halved so often at the most, and a row that needs more is given up.
MOST_HALVINGS = 11
# A row whose steps err so many times less than they may takes twice as long ones next.
EASY = 64.0
# Where whole steps will do, one in so many is halved to measure it.
MEASURED_EVERY = 8
# Rows are filled up to a multiple of every SIMD width, so that each takes the same way through the processor,
# whatever its neighbours.
LANES = 8


def padded(rows: np.ndarray) -> np.ndarray:
    return np.resize(rows, -(-len(rows) // LANES) * LANES)


class HalvingMarch:
    """Rows on their way along a grid, from fields (n, N).

    rate       what a row may err in a unit of time, relative to its largest |u| at that time; what it errs in a mode
               that decays counts for as long as it lasts
    max_steps  a row that would take more is given up; 0 is no limit
    status     (n,) int8, why a row has stopped, if it has
    """

    def __init__(self, modes: Modes, starts: np.ndarray, rate: float, max_steps: int) -> None:
        self._modes, self._rate, self._max_steps = modes, rate, max_steps
        self._spectrum = modes.spectrum(starts)
        rows = len(starts)
        self._halvings = np.ones(rows, dtype=np.int64)
        self._unmeasured = np.zeros(rows, dtype=np.int64)
        self._steps = np.zeros(rows, dtype=np.int64)
        self.status = np.zeros(rows, dtype=np.int8)

    def advance(self, step: float, count: int) -> np.ndarray:
        """The fields (n, N) so many steps later, each of them in as many as it needs."""
        for _ in range(count):
            left = np.flatnonzero(self.status == Status.OK)
            if not len(left):
                break
            begun = self._halvings[left]
            for halvings in np.unique(begun):
                self._advance(left[begun == halvings], int(halvings), step)
        return self._modes.field(self._spectrum)

    def _advance(self, rows: np.ndarray, halvings: int, step: float) -> None:
        """One step of rows that begin with the same number of halvings."""
        before, coarse = self._spectrum[rows], self._marched(rows, max(halvings - 1, 0), step)
        if halvings == 0:
            self._steps[rows] += 1
            self._unmeasured[rows] += 1
            plain = self._unmeasured[rows] < MEASURED_EVERY
            self._spectrum[rows[plain]] = coarse[plain]
            rows, before, coarse, halvings = rows[~plain], before[~plain], coarse[~plain], 1
        while len(rows):
            if halvings > MOST_HALVINGS:
                finite = np.isfinite(coarse).all(axis=1)
                self.status[rows] = np.where(finite, Status.SOLVER_FAILED, Status.DIVERGED)
                return
            self._steps[rows] += 2**halvings
            tired = (self._steps[rows] > self._max_steps) & (self._max_steps > 0)
            self.status[rows[tired]] = Status.STEP_LIMIT
            rows, before, coarse = rows[~tired], before[~tired], coarse[~tired]
            fine = self._marched(rows, halvings, step)
            error = self._error(rows, (fine - coarse) / (2**ORDER - 1), before, step)
            done, easy = error <= self._rate, error * EASY <= self._rate
            self._spectrum[rows[done]] = fine[done]
            self._halvings[rows[done]] = halvings - easy[done]
            self._unmeasured[rows] = 0
            rows, before, coarse, halvings = rows[~done], before[~done], fine[~done], halvings + 1

    def _error(self, rows: np.ndarray, erred: np.ndarray, before: np.ndarray, step: float) -> np.ndarray:
        """What rows err in a unit of time (n,) if they go on to err like this in every step."""
        # A mode that decays holds no more than what some steps err.
        share = np.maximum(step, 1 - lasting(self._modes.stepper(step).full[rows]))
        filled = padded(np.arange(len(rows)))
        return self._modes.size((erred / share)[filled], before[filled])[: len(rows)]

    def _marched(self, rows: np.ndarray, halvings: int, step: float) -> np.ndarray:
        """Amplitudes of rows one step later, in 2^halvings parts."""
        places = padded(rows)
        modes, stepper = self._modes.of(places), self._modes.stepper(step / 2**halvings).of(places)
        spectrum = self._spectrum[places]
        for _ in range(2**halvings):
            spectrum = modes.step(spectrum, stepper)
        return spectrum[: len(rows)]
