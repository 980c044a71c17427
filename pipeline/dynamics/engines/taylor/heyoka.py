"""The fast engine: heyoka's adaptive Taylor integrator, compiled for the system, many rows a SIMD batch.

Biscani and Izzo (2021), Revisiting high-order Taylor methods for astrodynamics and celestial mechanics,
doi:10.1093/mnras/stab1032.
"""

import threading
from collections.abc import Callable
from typing import Any

import heyoka
import numpy as np
import sympy

from .....data.shard.schema import Status
from ...systems import System
from ..base.budget import Budget
from ..base.engine import REVISION, Solution, blank_failed
from ..base.rounding import Terms, rounded
from ..base.scales import SPARSE, STEPS_AN_INTERVAL, closer
from .batches import Batches, by_neighbourhood
from .equations import compiled
from .lanes import FEW_LANES, MANY_ROWS, Lanes
from .scaled import Scales
from .steep import REVISION_OF_STEEP

DEFAULT_TOLERANCE = 2.0**-52
# Code of polynomials of so many nodes is unrolled, and a tenth faster; of others loops are about as fast, and take a
# second to compile instead of half a minute.
MOST_UNROLLED = 30
# Most rows need far fewer steps; of those that need more, it is seen then whether they get anywhere.
FIRST_STEPS = 20_000
# A row that leapt is integrated again in so many steps for each at least, and so many times more until two agree, so
# often at the most.
LEAP_IN, SHORTER, LOOKS = 9.7, 8.0, 4
# Of SciPy's DOP853, which follows the rows that come to a branch, and after how many steps it gives one up.
BEYOND_TOLERANCE, BEYOND_STEPS = 1e-13, 20_000


class HeyokaEngine:
    """Adaptive Taylor series of order about 20, near the limit of double precision.

    system     whose equations are compiled
    tolerance  error a step, relative to each component's largest value so far
    max_steps  steps after which a row is given up, and max_steps_per_unit: see `Budget`
    rows       how many there will be in all, if known
    scales     of a system in scaled states, which the rows are integrated in that need it

    Where not `by_component`, none is thought to need it. Rows that come to a branch fail where SciPy is not to follow
    them beyond.
    """

    threads = True

    def __init__(
        self,
        system: System,
        tolerance: float = DEFAULT_TOLERANCE,
        max_steps: int = 0,
        rows: int | None = None,
        max_steps_per_unit: float | None = None,
        scales: Scales | None = None,
        *,
        by_component: bool = True,
        beyond_branches: bool = True,
    ) -> None:
        self._system, self._scales = system, scales
        self._by_component = by_component and scales is None
        self._tolerance = tolerance
        self._budget = Budget(max_steps, max_steps_per_unit)
        # heyoka wants values of those parameters alone that the equations mention.
        mentioned = {symbol for expression in system.vector_field for symbol in expression.free_symbols}
        self._used = [column for column, symbol in enumerate(system.parameter_symbols) if symbol in mentioned]
        equations, events, guards, short = compiled(system, self._used)
        self._steep = bool(short)
        self._guarded, self._kinked = guards is not None, events is not None and events.continuous
        self._beyond, self._turn = None, threading.Lock()
        if (self._guarded or self._kinked) and scales is None and beyond_branches:
            # SciPy takes longer to load than most datasets to integrate.
            from ..runge_kutta.scipy import ScipyEngine

            steps = min(max_steps or BEYOND_STEPS, BEYOND_STEPS)
            self._beyond = ScipyEngine(system, BEYOND_TOLERANCE, steps)
        unrolled = sum(len(equation) for _, equation in equations) <= MOST_UNROLLED and not any(
            expression.has(sympy.Function) for expression in system.vector_field
        )
        self._lanes = Lanes(
            (equations, events, guards, short),
            len(system.states),
            self._used,
            tolerance,
            scales,
            many=rows is not None and rows >= MANY_ROWS,
            unrolled=unrolled,
        )
        self._in_scales: tuple[Scales, HeyokaEngine] | None = None
        self._compiling = threading.Lock()

    def describe(self) -> dict[str, Any]:
        return {
            "name": "heyoka",
            "version": heyoka.__version__,
            "revision": REVISION_OF_STEEP if self._steep else REVISION,
            "method": "taylor",
            "tolerance": self._tolerance,
            **self._budget.describe(),
            **({} if self._beyond is None else {"beyond_branches": self._beyond.describe()}),
        }

    def solve(
        self,
        initial_states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        report: Callable[[int], None] | None = None,
    ) -> Solution:
        """See `Engine.solve`."""
        finite = np.isfinite(initial_states).all(axis=1) & np.isfinite(parameters).all(axis=1)
        if not finite.all():
            states = np.full((len(initial_states), len(times), initial_states.shape[1]), np.nan)
            status = np.full(len(initial_states), Status.DIVERGED, dtype=np.int8)
            found = self.solve(initial_states[finite], parameters[finite], times, report)
            states[finite], status[finite] = found.states, found.status
            return Solution(states, status)
        rows = np.arange(len(initial_states))
        if len(rows) > FEW_LANES:
            rows = by_neighbourhood(initial_states, rows)
        batches = Batches.of(initial_states.T, parameters[:, self._used].T, times)
        self._solve_rows(batches, rows, report)
        if self._beyond is not None and batches.beyond.any():
            rows = np.flatnonzero(batches.beyond)
            with self._turn:
                # SciPy holds the GIL, and what silences its warnings is not for several threads.
                again = self._beyond.solve(initial_states[rows], parameters[rows], times)
            batches.states[rows], batches.status[rows] = again.states, again.status
        elif self._scales is None:
            batches.status[batches.beyond] = Status.SOLVER_FAILED
        return blank_failed(batches.states, batches.status)

    def _solve_rows(
        self, batches: Batches, rows: np.ndarray, report: Callable[[int], None] | None = None
    ) -> None:
        """Integrate all rows, in this order: what `batches` holds comes out of it filled."""
        times, most = batches.times, self._budget.steps(batches.times)
        sparse = self._by_component and len(times) < SPARSE
        few = STEPS_AN_INTERVAL * len(times) if sparse else max(FIRST_STEPS, len(times))
        limit = min(few, most or few)
        left = self._lanes.solve(batches, rows, limit, report)
        closely = left[:0]
        if limit != most and sparse:
            left, closely = closely, left
            every, own = closer(times)
            looked_at = batches.part(closely, every)
            self._solve_rows(looked_at, np.arange(len(closely)), report)
            batches.states[closely], batches.status[closely] = looked_at.states[:, own], looked_at.status
            batches.beyond[closely] = looked_at.beyond
        elif limit != most:
            # Rows that need many steps share batches, so that no batch waits for a single one.
            left = self._lanes.solve(batches, left, most, report)
        batches.status[left] = Status.STEP_LIMIT
        rows = np.setdiff1d(rows, closely, assume_unique=True) if len(closely) else np.arange(len(rows))
        self._look_again(batches, rows[(batches.leapt & (batches.status == Status.OK))[rows]], most)
        if self._guarded:
            batches.beyond[self._at_branches(batches, rows, limit, most)] = True
        elif self._kinked:
            # It rests on a kink, which heyoka sees as one event after the other.
            batches.beyond[rows] = batches.status[rows] == Status.SOLVER_FAILED
        if self._by_component:
            self._solve_in_scales(batches, rows[~batches.beyond[rows]])

    def _look_again(self, batches: Batches, rows: np.ndarray, most: int) -> None:
        """Integrate rows that leapt in shorter and shorter steps, until two agree.

        heyoka takes the size of a step from the terms of its last two orders. Where both are exactly zero, as those
        of tanh(t**4) are at t = 0, no step is too long for it.
        """
        longest = (batches.times[-1] - batches.times[0]) / LEAP_IN
        # What a second look takes is not the row's.
        most = most and max(most, FIRST_STEPS)
        for _ in range(LOOKS):
            if not len(rows):
                return
            again = batches.part(rows, batches.times, longest=longest)
            left = self._lanes.solve(again, np.arange(len(rows)), most, None)
            again.status[left] = Status.STEP_LIMIT
            other = ~batches.agrees(rows, again, self._rounded)
            rows = rows[other]
            batches.states[rows], batches.status[rows] = again.states[other], again.status[other]
            longest /= SHORTER
        batches.status[rows] = Status.SOLVER_FAILED

    def _rounded(self, batches: Batches, rows: np.ndarray) -> np.ndarray:
        """What rounding of the terms of their equations may leave in components (n, D) of rows."""
        system = self._system if self._scales is None else self._scales.unscaled
        parameters = np.zeros((len(rows), len(system.parameters)))
        for place, column in enumerate(self._used):
            if column < parameters.shape[1]:
                parameters[:, column] = batches.parameters[place, rows]
        return rounded(Terms(system), batches.times, batches.states[rows], parameters)

    def _at_branches(self, batches: Batches, rows: np.ndarray, limit: int, most: int) -> np.ndarray:
        """Those of the rows that came to a branch: what may have come near is integrated again, and looked at.

        Those that were lost between kinks are among them, for the other side of a kink may be out of a root's domain.
        """
        # One that fails before a pole has failed.
        sound, lost = batches.status == Status.OK, batches.status == Status.SOLVER_FAILED
        near = rows[(batches.near | (batches.before_poles & sound) | lost)[rows]]
        again = batches.part(near, batches.times, closely=True)
        left = self._lanes.solve(again, np.arange(len(near)), limit, None)
        # Of one that fails it is enough to know how it began.
        left = left[~again.near[left]]
        self._lanes.solve(again, left[sound[near[left]]], most, None)
        return near[again.near | lost[near]]

    def _solve_in_scales(self, batches: Batches, rows: np.ndarray) -> None:
        """Integrate those of the rows again, in scaled states, whose components differ too much in size."""
        with np.errstate(all="ignore"):
            # Of a row that failed states may be anything.
            rows, begun = batches.uneven(rows, self._lanes.first_steps)
        if not len(rows):
            return
        scales, engine = self._scaled()
        scaled = scales.begin(batches.part(rows, batches.times), begun)
        engine._solve_rows(scaled, np.arange(len(rows)))
        batches.states[rows] = scales.end(scaled, batches.starts[:, rows])
        batches.status[rows] = scaled.status
        batches.beyond[rows] = scaled.beyond

    def _scaled(self) -> tuple[Scales, "HeyokaEngine"]:
        """The same equations in scaled states, and their engine, made when a row needs them."""
        with self._compiling:
            if self._in_scales is None:
                scales = Scales(self._system)
                budget = self._budget
                engine = HeyokaEngine(
                    scales.system, self._tolerance, budget.max_steps, None, budget.per_unit, scales
                )
                self._in_scales = scales, engine
            return self._in_scales
