"""The engine of a field: exponential time differencing in Fourier space, many rows at once.

All rows march in the same steps, and some of these are measured; those that err too much are integrated again, in
shorter ones.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy

from .....data.shard.schema import Status
from ...systems import System
from ...systems.kuramoto_sivashinsky import KIND
from ..base.budget import Budget
from ..base.engine import REVISION, EngineError, SeldomReport, Solution, blank_failed
from .gathered import Gathered
from .halving import HalvingMarch, padded
from .modes import ORDER, Modes

# What a step of this size errs in a unit of time is 1e-10 of the field, of a step h 1e-10 (h/0.0025)^4: measured at
# L = 22. A tolerance is by convention less than such an error.
DEFAULT_STEP, DEFAULT_TOLERANCE = 0.0025, 1e-11
METHOD = "ETDRK4"
# What a row may gather of errors relative to its largest |u|, in tolerances: while it settles from where it starts,
# and in each unit of time.
AT_ONCE, BY_TIME = 100.0, 10.0
# Steps between two whose error is measured; at first more are: 0, 1, 2, 4, 8, ... What makes steps err lasts longer.
MEASURED_EVERY = 32
# Rows at once, few enough for the second cache.
ROWS = 128

Intervals = list[tuple[float, int]]


class Etdrk4Engine:
    """u_t = -u u_x - u_xx - u_xxxx on a circle, in the Fourier modes that the points carry without aliases.

    system     of kind "kuramoto-sivashinsky"; each row has its own length
    max_step   longest step; the steps that are taken divide the grid's
    max_steps  rows that would take more are given up, and max_steps_per_unit: see `Budget`

    Raises EngineError for another system.
    """

    # Transforms of so few rows are short, and threads would wait for each other in between.
    threads = False

    def __init__(
        self,
        system: System,
        max_step: float = DEFAULT_STEP,
        max_steps: int = 0,
        max_steps_per_unit: float | None = None,
    ) -> None:
        if system.kind != KIND:
            raise EngineError(f'engine "etdrk4" integrates {KIND} alone, not {system.name!r:.80}')
        self._points = len(system.states)
        self._max_step = max_step
        self._budget = Budget(max_steps, max_steps_per_unit)
        self._tolerance = DEFAULT_TOLERANCE * max(1.0, max_step / DEFAULT_STEP) ** ORDER

    def describe(self) -> dict[str, Any]:
        return {
            "name": "etdrk4",
            "version": scipy.__version__,
            "revision": REVISION,
            "method": METHOD,
            "tolerance": self._tolerance,
            "max_step": self._max_step,
            **self._budget.describe(),
        }

    def solve(
        self,
        initial_states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        report: Callable[[int], None] | None = None,
    ) -> Solution:
        """See `Engine.solve`."""
        lengths = parameters[:, 0]
        states = np.full((len(initial_states), len(times), self._points), np.nan)
        status = np.zeros(len(initial_states), dtype=np.int8)
        intervals = _intervals(times, self._max_step)
        most = self._budget.steps(times)
        if most and sum(count for _, count in intervals) > most:
            status[:] = Status.STEP_LIMIT
        else:
            status[~(np.isfinite(initial_states).all(axis=1) & (lengths > 0))] = Status.DIVERGED
        rows = np.flatnonzero(status == Status.OK)
        states[rows, 0] = initial_states[rows]
        told = SeldomReport(report)
        with np.errstate(all="ignore"):
            for start in range(0, len(rows), ROWS):
                chosen = rows[start : start + ROWS]
                places, erred = padded(chosen), np.zeros(len(chosen), dtype=bool)
                fields = self._march(initial_states[places], lengths[places], intervals)
                for index, (values, over) in enumerate(fields, start=1):
                    states[chosen, index] = values[: len(chosen)]
                    erred |= over[: len(chosen)]
                    told(start + len(chosen) * index // len(times))
                    if erred.all():
                        break
                again = chosen[erred]
                if len(again):
                    rate = BY_TIME * self._tolerance
                    march = HalvingMarch(
                        Modes(self._points, lengths[again]), initial_states[again], rate, most
                    )
                    for index, (step, count) in enumerate(intervals, start=1):
                        states[again, index] = march.advance(step, count)
                        told(start + len(chosen) - len(again) + len(again) * index // len(times))
                    status[again] = march.status
        return blank_failed(states, status)

    def _march(
        self, fields: np.ndarray, lengths: np.ndarray, intervals: Intervals
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The fields (n, N) at the end of each interval, and which rows have erred more than they may up to there.

        Errors are measured at some steps, and taken to be as large until they are measured again.
        """
        modes = Modes(self._points, lengths)
        spectrum, gathered = modes.spectrum(fields), Gathered(modes)
        erred, elapsed, done = np.zeros(len(fields), dtype=bool), 0.0, 0
        for step, count in intervals:
            stepper = modes.stepper(step)
            for _ in range(count):
                before, spectrum = spectrum, modes.step(spectrum, stepper)
                elapsed += step
                if done & (done - 1) == 0 or done % MEASURED_EVERY == 0:
                    allowed = self._tolerance * (AT_ONCE + BY_TIME * elapsed)
                    # What is not a number has erred too much, too.
                    erred |= ~(gathered.measure(before, spectrum, step) <= allowed)
                else:
                    gathered.add(step)
                done += 1
            yield modes.field(spectrum), erred


def _intervals(times: np.ndarray, longest: float) -> Intervals:
    """(step, how many) from each time of the grid to the next."""
    gaps = np.diff(times)
    if not len(gaps):
        return []
    mean = (times[-1] - times[0]) / len(gaps)
    if np.allclose(gaps, mean, rtol=1e-6, atol=0):
        # On an even grid the gaps differ by rounding alone.
        gaps = np.full(len(gaps), mean)
    counts = np.maximum(1, np.ceil(gaps / longest - 1e-9)).astype(np.int64)
    return list(zip((gaps / counts).tolist(), counts.tolist(), strict=True))
