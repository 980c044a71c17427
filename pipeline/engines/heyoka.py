"""The fast engine: heyoka's adaptive Taylor integrator, compiled for the system, many rows a SIMD batch.

Biscani and Izzo (2021), Revisiting high-order Taylor methods for astrodynamics and celestial mechanics,
doi:10.1093/mnras/stab1032.
"""

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import heyoka
import numpy as np
import sympy

from ...data.format import Status
from ..systems import System
from .engine import HOPELESS, REVISION, Solution, blank_failed
from .guards import Near, Watch
from .heyoka_equations import compiled
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
# A row that is given up has diverged if it has grown so many times.
LARGE = 1e3
# Of SciPy's DOP853, which follows the rows that come to a branch, and after how many steps it gives one up.
BEYOND_TOLERANCE, BEYOND_STEPS = 1e-13, 20_000

_NOT_FINITE, _STEP_LIMIT = heyoka.taylor_outcome.err_nf_state, heyoka.taylor_outcome.step_limit


class HeyokaEngine:
    """Adaptive Taylor series of order about 20, near the limit of double precision.

    system     whose equations are compiled
    tolerance  relative and absolute error a step
    max_steps  steps after which a row is given up; 0 is no limit
    rows       how many there will be in all, if known
    """

    threads = True

    def __init__(
        self,
        system: System,
        tolerance: float = DEFAULT_TOLERANCE,
        max_steps: int = 0,
        rows: int | None = None,
    ) -> None:
        self._tolerance = tolerance
        self._max_steps = max_steps
        self._dimension = len(system.states)
        # heyoka wants values of those parameters alone that the equations mention.
        mentioned = {symbol for expression in system.vector_field for symbol in expression.free_symbols}
        self._used = [column for column, symbol in enumerate(system.parameter_symbols) if symbol in mentioned]
        self._equations, self._events, self._guards = compiled(system, self._used)
        steps = min(max_steps or BEYOND_STEPS, BEYOND_STEPS)
        self._beyond = None if self._guards is None else ScipyEngine(system, BEYOND_TOLERANCE, steps)
        self._unrolled = sum(len(equation) for _, equation in self._equations) <= MOST_UNROLLED and not any(
            expression.has(sympy.Function) for expression in system.vector_field
        )
        self._lanes = MANY_LANES if rows is not None and rows >= MANY_ROWS else LANES
        self._compiled: dict[int, Any] = {}
        self._compiling = threading.Lock()
        self._local = threading.local()

    def describe(self) -> dict[str, Any]:
        return {
            "name": "heyoka",
            "version": heyoka.__version__,
            "revision": REVISION,
            "method": "taylor",
            "tolerance": self._tolerance,
            "max_steps": self._max_steps,
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
        order = _by_neighbourhood(initial_states, np.flatnonzero(finite))
        batches = _Batches(
            np.ascontiguousarray(initial_states[order].T),
            np.ascontiguousarray(parameters[order][:, self._used].T),
            times,
            np.empty((len(order), len(times), self._dimension)),
            np.zeros(len(order), dtype=np.int8),
            np.zeros(len(order), dtype=bool),
            np.zeros(len(order), dtype=bool),
        )
        limit = max(FIRST_STEPS, len(times))
        limit = min(limit, self._max_steps or limit)
        left = self._solve_all(batches, np.arange(len(order)), limit, report)
        if limit != self._max_steps:
            # Rows that need many steps share batches, so that no batch waits for a single one.
            left = self._solve_all(batches, left, self._max_steps, report)
        batches.status[left] = Status.STEP_LIMIT
        if self._beyond is not None:
            chosen = self._at_branches(batches, limit)
            again = self._beyond.solve(initial_states[order[chosen]], parameters[order[chosen]], times)
            batches.states[chosen], batches.status[chosen] = again.states, again.status
        if np.array_equal(order, np.arange(len(initial_states))):
            return blank_failed(batches.states, batches.status)
        states = np.full((len(initial_states), len(times), self._dimension), np.nan)
        status = np.full(len(initial_states), Status.DIVERGED, dtype=np.int8)
        states[order], status[order] = batches.states, batches.status
        return blank_failed(states, status)

    def _at_branches(self, batches: "_Batches", limit: int) -> np.ndarray:
        """Rows that came to a branch: those that may have come near to one are integrated again, and looked at.

        Those that were lost between kinks are among them, for the other side of a kink may be out of a root's domain.
        """
        # One that fails before a pole has failed.
        sound, lost = batches.status == Status.OK, batches.status == Status.SOLVER_FAILED
        near = np.flatnonzero(batches.flagged | (batches.before_poles & sound) | lost)
        again = _Batches(
            np.ascontiguousarray(batches.starts[:, near]),
            np.ascontiguousarray(batches.parameters[:, near]),
            batches.times,
            np.empty((len(near), *batches.states.shape[1:])),
            np.zeros(len(near), dtype=np.int8),
            np.zeros(len(near), dtype=bool),
            np.zeros(len(near), dtype=bool),
            closely=True,
        )
        left = self._solve_all(again, np.arange(len(near)), limit, None)
        # Of one that fails it is enough to know how it began.
        left = left[~again.flagged[left]]
        self._solve_all(again, left[sound[near[left]]], self._max_steps, None)
        return near[again.flagged | lost[near]]

    def _solve_all(
        self, batches: "_Batches", rows: np.ndarray, limit: int, report: Callable[[int], None] | None
    ) -> np.ndarray:
        """Integrate rows, batch by batch; those that need more steps than the limit."""
        lanes = self._lanes if len(rows) >= FEW_ROWS else FEW_LANES
        long = len(batches.times) > PIECE
        if long and len(rows) <= FEWEST_LANES:
            lanes = FEWEST_LANES
        grids = None if long else list(_grids(batches.times, lanes))
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
        self, batches: "_Batches", grids: "_Grids | None", rows: np.ndarray, width: int, limit: int
    ) -> np.ndarray:
        """Integrate rows, at most one a lane; those that need more steps than the limit.

        A lane that diverges, or has no steps left, stops its whole batch, so the lanes that it stopped are integrated
        anew without it; each round settles at least one lane.
        """
        integrator = self._integrator(width)
        begin, end = batches.times[[0, -1]]
        left = [rows[:0]]
        while lanes := len(rows):
            # Rows ascend, and a slice is quicker than its numbers.
            whole = rows[-1] - rows[0] == lanes - 1
            chosen = slice(rows[0], rows[-1] + 1) if whole else rows
            padded = chosen if lanes == width else np.resize(rows, width)
            integrator.set_time(begin)
            integrator.state[:] = batches.starts[:, padded]
            integrator.pars[: len(self._used)] = batches.parameters[:, padded]
            if self._events is not None:
                self._events.begin(integrator)
            guard = None if self._guards is None else self._guards.begin(integrator, batches.closely)
            reached, late = self._propagate(
                integrator, grids or _grids(batches.times, width), batches, chosen, lanes, limit, guard
            )
            if guard is not None:
                batches.flagged[rows] |= guard.lanes[:lanes]
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
            stuck = np.array([outcome == _STEP_LIMIT for outcome in outcomes])
            hopeless = late & stuck & _hopeless(integrator, end, lanes)
            large = np.abs(integrator.state[:, :lanes]).max(axis=0) > LARGE * (
                1 + np.abs(batches.starts[:, rows]).max(axis=0)
            )
            batches.status[rows[hopeless]] = np.where(large[hopeless], Status.DIVERGED, Status.STEP_LIMIT)
            left.append(rows[late & ~hopeless & ~diverged])
            rows = rows[~(reached | late | diverged)]
        return np.sort(np.concatenate(left))

    def _propagate(
        self,
        integrator: Any,
        grids: "_Grids",
        batches: "_Batches",
        rows: Any,
        lanes: int,
        limit: int,
        guard: Near | Watch | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Go along the grid, piece by piece: which rows reached its end, and which need more steps than the limit.

        Steps are counted for each row by itself: its neighbours do not matter. A row that is neither was stopped by
        one of them.
        """
        # The guard first, for after a step that went astray there is nothing to look at.
        watches = [guard.callback if guard else None, self._events.watch if self._events else None]
        watch = [watch for watch in watches if watch is not None]
        steps, late = np.zeros(lanes, dtype=np.int64), np.zeros(lanes, dtype=bool)
        for first, grid in grids:
            if limit:
                # There is a way to go yet.
                late |= steps >= limit
                if late.all():
                    break
            most = int(limit - steps[~late].min()) if limit else 0
            _, values = integrator.propagate_grid(grid, max_steps=most, callback=watch or None)
            if guard is not None:
                guard.note(integrator)
            batches.states[rows, first : first + len(grid)] = values[:, :, :lanes].transpose(2, 0, 1)
            # Grid values that were not reached are NaN.
            arrived = np.isfinite(values[-1, :, :lanes]).all(axis=0)
            if len(grid) == len(batches.times) and arrived.all():
                return arrived, late
            results = integrator.propagate_res[:lanes]
            steps += [result[3] for result in results]
            if limit:
                late |= steps > limit
            if not arrived.all():
                late |= ~arrived & np.array([result[0] == _STEP_LIMIT for result in results])
                return arrived & ~late & (first + len(grid) == len(batches.times)), late
        return ~late, late

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


_Grids = Iterable[tuple[int, np.ndarray]]
"""Pieces of the grid: the number of the first point of each, and its times (n, lanes)."""


def _grids(times: np.ndarray, lanes: int) -> Iterator[tuple[int, np.ndarray]]:
    # A piece begins where the one before it ends.
    for first in range(0, max(1, len(times) - 1), PIECE - 1):
        yield first, np.repeat(times[first : first + PIECE, None], lanes, axis=1)


@dataclass(frozen=True)
class _Batches:
    """All rows in the order in which they are integrated: what goes in, (D, N), (P, N), (T,); and out.

    flagged, before_poles  (N,) bool, rows that may have come near to a root's end, and to a pole; if watched
                           `closely`, flagged are those that came to either
    """

    starts: np.ndarray
    parameters: np.ndarray
    times: np.ndarray
    states: np.ndarray
    status: np.ndarray
    flagged: np.ndarray
    before_poles: np.ndarray
    closely: bool = False


def _by_neighbourhood(initial_states: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows in Z-order of their initial states (Morton 1966).

    The lanes of a batch wait for each other, and rows that start close together take steps of about the
    same size: a quarter less time for van der Pol.
    """
    if len(rows) <= FEW_LANES:
        return rows
    chosen = initial_states[rows]
    low, high = chosen.min(axis=0), chosen.max(axis=0)
    dimension = chosen.shape[1]
    bits = min(6, 62 // dimension)
    if bits == 0:
        return rows
    extent = np.where(high > low, high - low, 1.0)
    cells = ((chosen - low) / extent * (2**bits - 1)).astype(np.int64)
    key = np.zeros(len(rows), dtype=np.int64)
    for bit in range(bits):
        for component in range(dimension):
            key |= ((cells[:, component] >> bit) & 1) << (bit * dimension + component)
    return rows[np.argsort(key, kind="stable")]
