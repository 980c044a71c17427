"""Rows in the lanes of heyoka's integrators: many at once, each of which is a function of itself alone."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import heyoka
import numpy as np

from .....data.shard.schema import Status
from ..base.engine import HOPELESS, SeldomReport
from .batches import Batches
from .events import Events
from .grids import Grid, Grids, grids_of
from .guards import Guards, Near, Watch
from .scaled import Scales

# Rows a batch: more of them share the call from Python, and let threads wait less for each other, but take
# longer to compile (0.1 s, 0.3 s, 1 s; kept on disk) and are wasted where there are few rows. All are multiples of
# every SIMD width, so the bits of a row do not depend on the choice.
FEWEST_LANES, FEW_LANES, LANES, MANY_LANES = 8, 16, 64, 128
FEW_ROWS, MANY_ROWS = 512, 1_000_000
# Points of a grid that heyoka gives at once; at the last one a step ends.
PIECE = 1 << 14
# Who took no more than so many steps leapt.
LEAPS = 2

_NOT_FINITE, _STEP_LIMIT = heyoka.taylor_outcome.err_nf_state, heyoka.taylor_outcome.step_limit


class Lanes:
    """Integrators of one system, each thread's own, of several widths.

    compiled  its equations, events, guards, and what keeps steps short
    used      columns of the parameters that the equations mention
    many      as many lanes as are ever worth it
    unrolled  compile a loop for each operation
    """

    def __init__(
        self,
        compiled: tuple[Any, Events | None, Guards | None, list[Any]],
        dimension: int,
        used: list[int],
        tolerance: float,
        scales: Scales | None,
        *,
        many: bool,
        unrolled: bool,
    ) -> None:
        self._equations, self._events, self._guards, self._short = compiled
        self._dimension, self._used, self._tolerance, self._scales = dimension, used, tolerance, scales
        self._lanes, self._unrolled = MANY_LANES if many else LANES, unrolled
        self._compiled: dict[int, Any] = {}
        self._compiling = threading.Lock()
        self._local = threading.local()

    def solve(
        self, batches: Batches, rows: np.ndarray, limit: int, report: Callable[[int], None] | None
    ) -> np.ndarray:
        """Integrate rows, batch by batch; those that need more steps than the limit."""
        lanes = self._lanes if len(rows) >= FEW_ROWS else FEW_LANES
        long = len(batches.times) > PIECE
        if long and len(rows) <= FEWEST_LANES:
            lanes = FEWEST_LANES
        grids = None if long else list(grids_of(batches.times, lanes, PIECE))
        settled, told, left = len(batches.status) - len(rows), SeldomReport(report), []
        for start in range(0, len(rows), lanes):
            batch = rows[start : start + lanes]
            left.append(self._solve_batch(batches, grids, batch, lanes, limit))
            settled += len(batch) - len(left[-1])
            told(settled)
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
            self._begin(integrator, batches, rows if lanes == width else np.resize(rows, width))
            guard = None if self._guards is None else self._guards.begin(integrator, batches.closely)
            grid = grids or grids_of(batches.times, width, PIECE)
            reached, late = self._propagate(integrator, grid, batches, rows, limit, guard)
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
        return np.concatenate(left)

    def _propagate(
        self,
        integrator: Any,
        grids: Grids,
        batches: Batches,
        rows: np.ndarray,
        limit: int,
        guard: Near | Watch | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Go along the grid, piece by piece: which rows reached its end, and which need more steps than the limit.

        Steps are counted for each row by itself: its neighbours do not matter. A row that is neither was stopped by
        one of them.
        """
        lanes, most = len(rows), limit
        steps, late = np.zeros(lanes, dtype=np.int64), np.zeros(lanes, dtype=bool)
        for first, grid in grids:
            if limit and first:
                # There is a way to go yet.
                late |= steps >= limit
                if late.all():
                    break
                most = int(limit - steps[~late].min())
            values = self._along(integrator, grid, most, guard, batches.longest)
            results = integrator.propagate_res[:lanes]
            taken = [result[3] for result in results]
            if min(taken) <= LEAPS:
                batches.leapt[rows] |= np.array(taken) <= LEAPS
            if guard is not None:
                guard.note(integrator)
            batches.states[rows, first : first + len(grid)] = values[:, :, :lanes].transpose(2, 0, 1)
            # Grid values that were not reached are NaN.
            finite = np.isfinite(values[-1, :, :lanes])
            if len(grid) == len(batches.times) and finite.all():
                return ~late, late
            arrived = np.asarray(finite.all(axis=0))
            steps += taken
            if limit:
                late |= steps > limit
            if not arrived.all():
                late |= ~arrived & np.array([result[0] == _STEP_LIMIT for result in results])
                return arrived & ~late & (first + len(grid) == len(batches.times)), late
        return ~late, late

    def _begin(self, integrator: Any, batches: Batches, rows: np.ndarray) -> None:
        integrator.set_time(batches.times[0])
        integrator.state[:] = batches.starts[:, rows]
        integrator.pars[: len(self._used)] = batches.parameters[:, rows]
        if self._events is not None:
            self._events.begin(integrator)

    def _along(
        self, integrator: Any, grid: Grid, most: int, guard: Near | Watch | None, longest: float
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

        return go() if self._scales is None else self._scales.along(integrator, np.asarray(grid), go)

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
                    nt_events=[*watched, *self._short],
                    tol=self._tolerance,
                    compact_mode=not self._unrolled,
                )
            return self._compiled[lanes]

    def first_steps(self, batches: Batches, rows: np.ndarray) -> np.ndarray:
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


def _hopeless(integrator: Any, end: float, lanes: int) -> np.ndarray:
    """Which lanes would need more steps to the end, at the size of their last one, than anybody waits for."""
    rest = np.abs(end - integrator.time[:lanes])
    return np.abs(integrator.last_h[:lanes]) * HOPELESS < rest
