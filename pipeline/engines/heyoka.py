"""The fast engine: heyoka's adaptive Taylor integrator, compiled for the system, many rows a SIMD batch.

Biscani and Izzo (2021), Revisiting high-order Taylor methods for astrodynamics and celestial mechanics,
doi:10.1093/mnras/stab1032.
"""

import copy
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

import heyoka
import numpy as np
import sympy

from ...data.format import Status
from ..systems import System
from .batches import Batches, Grids, by_neighbourhood, grids_of
from .budget import Budget
from .engine import HOPELESS, REVISION, Solution, blank_failed
from .guards import Near, Watch
from .heyoka_equations import compiled
from .rounding import ROUNDING, Terms
from .scaled import Scales
from .scales import SPARSE, STEPS_AN_INTERVAL, closer
from .scipy import ScipyEngine

# Rows a batch: more of them share the call from Python, and let threads wait less for each other, but take
# longer to compile (0.1 s, 0.3 s, 1 s; kept on disk) and are wasted where there are few rows. All are multiples of
# every SIMD width, so the bits of a row do not depend on the choice.
FEWEST_LANES, FEW_LANES, LANES, MANY_LANES = 8, 16, 64, 128
FEW_ROWS, MANY_ROWS = 512, 1_000_000
# Points of a grid that heyoka gives at once; at the last one a step ends.
PIECE = 1 << 14
DEFAULT_TOLERANCE = 2.0**-52
# Code of polynomials of so many nodes is unrolled, and a tenth faster; of others loops are about as fast, and take a
# second to compile instead of half a minute.
MOST_UNROLLED = 30
REPORT_SECONDS = 0.1

# Most rows need far fewer steps; of those that need more, it is seen then whether they get anywhere.
FIRST_STEPS = 20_000
# A row that took no more than so many steps is integrated again in so many at least, and so many times more until
# two agree, so often at the most.
LEAPS, LEAP_IN, SHORTER, LOOKS = 2, 9.7, 8.0, 4
# Of SciPy's DOP853, which follows the rows that come to a branch, and after how many steps it gives one up.
BEYOND_TOLERANCE, BEYOND_STEPS = 1e-13, 20_000

_NOT_FINITE, _STEP_LIMIT = heyoka.taylor_outcome.err_nf_state, heyoka.taylor_outcome.step_limit


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
        self._dimension = len(system.states)
        # heyoka wants values of those parameters alone that the equations mention.
        mentioned = {symbol for expression in system.vector_field for symbol in expression.free_symbols}
        self._used = [column for column, symbol in enumerate(system.parameter_symbols) if symbol in mentioned]
        self._equations, self._events, self._guards = compiled(system, self._used)
        self._beyond, self._turn = None, threading.Lock()
        if self._guards is not None and scales is None and beyond_branches:
            steps = min(max_steps or BEYOND_STEPS, BEYOND_STEPS)
            self._beyond = ScipyEngine(system, BEYOND_TOLERANCE, steps)
        self._unrolled = sum(len(equation) for _, equation in self._equations) <= MOST_UNROLLED and not any(
            expression.has(sympy.Function) for expression in system.vector_field
        )
        self._lanes = MANY_LANES if rows is not None and rows >= MANY_ROWS else LANES
        self._compiled: dict[int, Any] = {}
        self._in_scales: tuple[Scales, HeyokaEngine] | None = None
        self._compiling = threading.Lock()
        self._local = threading.local()

    def describe(self) -> dict[str, Any]:
        return {
            "name": "heyoka",
            "version": heyoka.__version__,
            "revision": REVISION,
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
        order = np.flatnonzero(finite)
        if len(order) > FEW_LANES:
            order = by_neighbourhood(initial_states, order)
        batches = Batches.of(initial_states[order].T, parameters[order][:, self._used].T, times)
        self._solve_rows(batches, report)
        if self._beyond is not None and batches.beyond.any():
            rows = np.flatnonzero(batches.beyond)
            with self._turn:
                # SciPy holds the GIL, and what silences its warnings is not for several threads.
                again = self._beyond.solve(initial_states[order[rows]], parameters[order[rows]], times)
            batches.states[rows], batches.status[rows] = again.states, again.status
        elif self._scales is None:
            batches.status[batches.beyond] = Status.SOLVER_FAILED
        if np.array_equal(order, np.arange(len(initial_states))):
            return blank_failed(batches.states, batches.status)
        states = np.full((len(initial_states), len(times), self._dimension), np.nan)
        status = np.full(len(initial_states), Status.DIVERGED, dtype=np.int8)
        states[order], status[order] = batches.states, batches.status
        return blank_failed(states, status)

    def _solve_rows(self, batches: Batches, report: Callable[[int], None] | None = None) -> None:
        """Integrate all rows: what `batches` holds comes out of it filled."""
        times, most = batches.times, self._budget.steps(batches.times)
        sparse = self._by_component and len(times) < SPARSE
        few = STEPS_AN_INTERVAL * len(times) if sparse else max(FIRST_STEPS, len(times))
        limit = min(few, most or few)
        rows = np.arange(len(batches.status))
        left = self._solve_all(batches, rows, limit, report)
        closely = left[:0]
        if limit != most and sparse:
            left, closely = closely, left
            every, own = closer(times)
            looked_at = batches.part(closely, every)
            self._solve_rows(looked_at, report)
            batches.states[closely], batches.status[closely] = looked_at.states[:, own], looked_at.status
            batches.beyond[closely] = looked_at.beyond
        elif limit != most:
            # Rows that need many steps share batches, so that no batch waits for a single one.
            left = self._solve_all(batches, left, most, report)
        batches.status[left] = Status.STEP_LIMIT
        rows = np.setdiff1d(rows, closely, assume_unique=True)
        self._look_again(batches, rows[(batches.leapt & (batches.status == Status.OK))[rows]], most)
        if self._guards is not None:
            batches.beyond[self._at_branches(batches, rows, limit, most)] = True
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
            left = self._solve_all(again, np.arange(len(rows)), most, None)
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
        _, terms = Terms(system)(batches.times, batches.states[rows], parameters)
        return ROUNDING * (batches.times[-1] - batches.times[0]) * terms.max(axis=1)

    def _at_branches(self, batches: Batches, rows: np.ndarray, limit: int, most: int) -> np.ndarray:
        """Those of the rows that came to a branch: what may have come near is integrated again, and looked at.

        Those that were lost between kinks are among them, for the other side of a kink may be out of a root's domain.
        """
        # One that fails before a pole has failed.
        sound, lost = batches.status == Status.OK, batches.status == Status.SOLVER_FAILED
        near = rows[(batches.near | (batches.before_poles & sound) | lost)[rows]]
        again = batches.part(near, batches.times, closely=True)
        left = self._solve_all(again, np.arange(len(near)), limit, None)
        # Of one that fails it is enough to know how it began.
        left = left[~again.near[left]]
        self._solve_all(again, left[sound[near[left]]], most, None)
        return near[again.near | lost[near]]

    def _solve_in_scales(self, batches: Batches, rows: np.ndarray) -> None:
        """Integrate those of the rows again, in scaled states, whose components differ too much in size."""
        with np.errstate(all="ignore"):
            # Of a row that failed states may be anything.
            rows, begun = batches.uneven(rows, self._first_steps)
        if not len(rows):
            return
        scales, engine = self._scaled()
        scaled = scales.begin(batches.part(rows, batches.times), begun)
        engine._solve_rows(scaled)
        batches.states[rows] = scales.end(scaled, batches.starts[:, rows])
        batches.status[rows] = scaled.status
        batches.beyond[rows] = scaled.beyond

    def _first_steps(self, batches: Batches, rows: np.ndarray) -> np.ndarray:
        """States (n, D) of rows after their first step, or where they came to."""
        lanes = self._lanes if len(rows) >= FEW_ROWS else FEW_LANES
        duration = np.full(lanes, batches.times[-1] - batches.times[0])
        begun = np.empty((len(rows), self._dimension))
        for start in range(0, len(rows), lanes):
            chosen, integrator = rows[start : start + lanes], self._integrator(lanes)
            self._begin(integrator, batches, np.resize(chosen, lanes))
            integrator.step(duration)
            begun[start : start + lanes] = integrator.state[:, : len(chosen)].T
        return begun

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

    def _solve_all(
        self, batches: Batches, rows: np.ndarray, limit: int, report: Callable[[int], None] | None
    ) -> np.ndarray:
        """Integrate rows, batch by batch; those that need more steps than the limit."""
        lanes = self._lanes if len(rows) >= FEW_ROWS else FEW_LANES
        long = len(batches.times) > PIECE
        if long and len(rows) <= FEWEST_LANES:
            lanes = FEWEST_LANES
        grids = None if long else list(grids_of(batches.times, lanes, PIECE))
        settled, reported, left = len(batches.status) - len(rows), 0.0, []
        for start in range(0, len(rows), lanes):
            batch = rows[start : start + lanes]
            left.append(self._solve_batch(batches, grids, batch, lanes, limit))
            settled += len(batch) - len(left[-1])
            if report is not None and perf_counter() - reported > REPORT_SECONDS:
                report(settled)
                reported = perf_counter()
        return np.concatenate([rows[:0], *left])

    def _solve_batch(
        self, batches: Batches, grids: Grids | None, rows: np.ndarray, width: int, limit: int
    ) -> np.ndarray:
        """Integrate rows, at most one a lane; those that need more steps than the limit.

        A lane that diverges, or has no steps left, stops its whole batch, so the lanes that it stopped are integrated
        anew without it; each round settles at least one lane.
        """
        integrator = self._integrator(width)
        left = [rows[:0]]
        while lanes := len(rows):
            # Rows ascend, and a slice is quicker than its numbers.
            whole = rows[-1] - rows[0] == lanes - 1
            chosen = slice(rows[0], rows[-1] + 1) if whole else rows
            padded = chosen if lanes == width else np.resize(rows, width)
            self._begin(integrator, batches, padded)
            guard = None if self._guards is None else self._guards.begin(integrator, batches.closely)
            grid = grids or grids_of(batches.times, width, PIECE)
            reached, late = self._propagate(integrator, grid, batches, chosen, lanes, limit, guard)
            if guard is not None:
                batches.near[rows] |= guard.lanes[:lanes]
                if guard.poles is None:
                    reached |= guard.lanes[:lanes]
                else:
                    batches.before_poles[rows] |= guard.poles[:lanes]
            if self._events is not None:
                batches.status[rows[self._events.lost(integrator)[:lanes]]] = Status.SOLVER_FAILED
            if reached.all():
                break
            outcomes = [result[0] for result in integrator.propagate_res[:lanes]]
            diverged = np.array([outcome == _NOT_FINITE for outcome in outcomes])
            batches.status[rows[diverged]] = Status.DIVERGED
            # Before a pole steps shrink without end, long before the state overflows.
            state = (
                integrator.state if self._scales is None else integrator.state * self._scales.of(integrator)
            )
            stuck = np.array([outcome == _STEP_LIMIT for outcome in outcomes])
            hopeless = late & stuck & _hopeless(integrator, batches.times[-1], lanes)
            for lane in np.flatnonzero(hopeless):
                large = batches.has_grown(rows[lane], state[:, lane], integrator.time[lane])
                batches.status[rows[lane]] = Status.DIVERGED if large else Status.STEP_LIMIT
            left.append(rows[late & ~hopeless & ~diverged])
            rows = rows[~(reached | late | diverged)]
        return np.sort(np.concatenate(left))

    def _propagate(
        self,
        integrator: Any,
        grids: Grids,
        batches: Batches,
        rows: Any,
        lanes: int,
        limit: int,
        guard: Near | Watch | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Go along the grid, piece by piece: which rows reached its end, and which need more steps than the limit.

        Steps are counted for each row by itself: its neighbours do not matter. A row that is neither was stopped by
        one of them.
        """
        steps, late = np.zeros(lanes, dtype=np.int64), np.zeros(lanes, dtype=bool)
        for first, grid in grids:
            if limit:
                # There is a way to go yet.
                late |= steps >= limit
                if late.all():
                    break
            most = int(limit - steps[~late].min()) if limit else 0
            values = self._along(integrator, grid, most, guard, batches.longest)
            results = integrator.propagate_res[:lanes]
            taken = np.array([result[3] for result in results])
            batches.leapt[rows] |= taken <= LEAPS
            if guard is not None:
                guard.note(integrator)
            batches.states[rows, first : first + len(grid)] = values[:, :, :lanes].transpose(2, 0, 1)
            # Grid values that were not reached are NaN.
            arrived = np.asarray(np.isfinite(values[-1, :, :lanes]).all(axis=0))
            if len(grid) == len(batches.times) and arrived.all():
                return arrived, late
            steps += taken
            if limit:
                late |= steps > limit
            if not arrived.all():
                late |= ~arrived & np.array([result[0] == _STEP_LIMIT for result in results])
                return arrived & ~late & (first + len(grid) == len(batches.times)), late
        return ~late, late

    def _begin(self, integrator: Any, batches: Batches, rows: Any) -> None:
        integrator.set_time(batches.times[0])
        integrator.state[:] = batches.starts[:, rows]
        integrator.pars[: len(self._used)] = batches.parameters[:, rows]
        if self._events is not None:
            self._events.begin(integrator)

    def _along(
        self, integrator: Any, grid: np.ndarray, most: int, guard: Near | Watch | None, longest: float
    ) -> np.ndarray:
        """States (T, D, lanes) on a grid (T, lanes) after which the integrator stands, NaN where it did not come."""
        # The guard first, for after a step that went astray there is nothing to look at; and once more when all
        # that holds for the next step is set.
        first, last = ([], []) if guard is None else guard.callbacks
        watches = [] if self._events is None else [self._events.watch]

        def go(*more: Callable[[Any], bool]) -> np.ndarray:
            callbacks = [*first, *watches, *more, *last]
            _, values = integrator.propagate_grid(
                grid, max_steps=most, max_delta_t=longest, callback=callbacks or None
            )
            return np.asarray(values)

        return go() if self._scales is None else self._scales.along(integrator, grid, go)

    def _integrator(self, lanes: int) -> Any:
        """This thread's own copy; an integrator holds the state that it works on."""
        own: dict[int, Any] = self._local.__dict__.setdefault("integrators", {})
        if lanes not in own:
            own[lanes] = copy.deepcopy(self._prototype(lanes))
        return own[lanes]

    def _prototype(self, lanes: int) -> Any:
        with self._compiling:
            if lanes not in self._compiled:
                extra, events = (0, []) if self._events is None else (self._events.extra, self._events.events)
                watched = [] if self._guards is None else self._guards.events
                extra += len(watched)
                self._compiled[lanes] = heyoka.taylor_adaptive_batch(
                    self._equations,
                    np.zeros((self._dimension, lanes)),
                    pars=np.zeros((len(self._used) + extra, lanes)),
                    t_events=events,
                    nt_events=watched,
                    tol=self._tolerance,
                    compact_mode=not self._unrolled,
                )
            return self._compiled[lanes]


def _hopeless(integrator: Any, end: float, lanes: int) -> np.ndarray:
    """Which lanes would need more steps to the end, at the size of their last one, than anybody waits for."""
    rest = np.abs(end - integrator.time[:lanes])
    return np.abs(integrator.last_h[:lanes]) * HOPELESS < rest
