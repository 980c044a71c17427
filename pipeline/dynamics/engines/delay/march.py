"""The method of steps by Gauss collocation, in adaptive steps: rows of a delay equation on their way.

On each step the trajectory is a polynomial that fulfils the equation at Gauss's points, and these polynomials are the
history of what follows. Bellen, Zennaro (2003), Numerical methods for delay differential equations, chapters 4 to 6,
isbn:978-0-19-850654-6.
"""

from typing import Any

import numpy as np
from numpy.polynomial import chebyshev, legendre

from .....data.shard.schema import Status
from ..base.absolute import LEAST, LEAST_ON_THE_WAY
from .breaking_points import breaking_points
from .history import History
from .problem import Problem

# Points a step. A multiple of every SIMD width, so that each row takes the same way through the processor, whatever
# its neighbours.
NODES = 16
# Up to this many delays after the start, jumps in a derivative are felt by polynomials of that degree.
LEVEL = NODES
# Of the iteration for a step: it has converged when it moves by no more than this part of the scale of errors.
CONVERGED, ROUNDS = 1e-15, 25
# What rounding may keep moving.
SETTLED = 1e-13
# A step may be this many times shorter or longer than the one before it, where its error says so.
SHRINK, GROW, CAUTION = 0.25, 3.0, 0.9
# A row whose steps are no longer than this part of the time has met a singularity.
SHORTEST = 1e-15


def _matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gauss's points (p,) on [0, 1], and what makes of the slopes there, by the step, the increments at the points
    (p, p), at the end (p, 1), and Chebyshev's coefficients of the increment (p, p + 1)."""
    points, weights = legendre.leggauss(NODES)
    # The interpolant of the slopes in Legendre's polynomials, and its integral from the start on.
    interpolant = (np.arange(NODES) + 0.5)[:, None] * legendre.legvander(points, NODES - 1).T * weights
    integral = 0.5 * legendre.legint(np.eye(NODES), lbnd=-1) @ interpolant
    # Of so low a degree, a least-squares fit at as many points is the polynomial itself.
    nodes = chebyshev.chebpts1(NODES + 1)
    coefficients = chebyshev.chebfit(nodes, legendre.legvander(nodes, NODES) @ integral, NODES).T
    inner = chebyshev.chebval(points, coefficients.T)
    return (points + 1) / 2, inner, weights[:, None] / 2, coefficients


POINTS, INNER, ENDS, COEFFICIENTS = _matrices()


class March:
    """Rows of one system on their way from `start` to `end` at most, each in steps of its own.

    state    (D, n) where each row is, at `time` (n,)
    status   (n,) int8, why a row has stopped, if it has
    history  of all rows, as far back as their longest delays

    Errors are measured by 1 + |x|; `by_component`, by the largest value that each component of a row has had so far.
    """

    def __init__(
        self,
        problem: Problem,
        starts: np.ndarray,
        parameters: np.ndarray,
        start: float,
        end: float,
        *,
        by_component: bool = False,
    ) -> None:
        self._problem, self._by_component = problem, by_component
        self._delays = problem.system.delay_values(parameters).T
        self._parameters = parameters.T
        self.state = starts.T.copy()
        rows = len(starts)
        self._sizes, self._small = np.abs(self.state), np.zeros(rows, dtype=bool)
        self.time = np.full(rows, start)
        self.status = np.zeros(rows, dtype=np.int8)
        self._longest = np.minimum(self._delays.min(axis=0), problem.max_step)
        self._width = self._longest.copy()
        self._attempts = np.zeros(rows, dtype=np.int64)
        self._most = problem.budget.steps(np.array([start, end]))
        self._written = np.ones(rows, dtype=np.int64)
        points = [breaking_points(delays, start, end, LEVEL) for delays in self._delays.T]
        self._stops = np.full((rows, 1 + max(map(len, points), default=0)), np.inf)
        for row, times in enumerate(points):
            self._stops[row, : len(times)] = times
        self._next_stop = np.zeros(rows, dtype=np.int64)
        self.history = History(self.state, NODES)
        self._begin(starts, parameters, start)

    def _begin(self, starts: np.ndarray, parameters: np.ndarray, start: float) -> None:
        """What is to be known of rows before their first step, for marches that know more."""

    def step(self, end: float) -> np.ndarray | None:
        """Try a step of each row that is sound and before `end`, and none beyond it.

        The numbers of the rows that moved; None if there was none to try.
        """
        rows = np.flatnonzero((self.status == Status.OK) & (self.time < end))
        if not len(rows):
            return None
        aim = np.minimum(self._stop(rows), end)
        wanted, gap = self._width[rows], aim - self.time[rows]
        # No sliver is left before a stop.
        lands = wanted >= gap * (1 - 1e-9)
        width = np.where(lands, gap, np.minimum(wanted, np.maximum(gap / 2, wanted / 2)))
        with np.errstate(all="ignore"):
            pieces, after, error = self._attempt(rows, width)
            error = self._checked(rows, width, pieces, error)
            factor = np.clip(CAUTION * error ** (-1 / NODES), SHRINK, GROW)
        accepted = error <= 1
        # A stop may have cut the step short, which says nothing against the one that was wanted.
        wanted = np.where(accepted, np.maximum(width * factor, wanted), width * np.minimum(factor, CAUTION))
        self._width[rows] = np.minimum(wanted, self._longest[rows])
        self._attempts[rows] += 1
        self._advance(rows[accepted], width[accepted], pieces[:, accepted], after[:, accepted])
        landed = accepted & lands
        self.time[rows[landed]] = aim[landed]
        self._pass_stops(rows, landed)
        self._judge(rows, accepted, end)
        return rows[accepted]

    def _stop(self, rows: np.ndarray) -> np.ndarray:
        """Where the next step of each of these rows has to end, at the latest, (n,)."""
        return self._stops[rows, self._next_stop[rows]]

    def _checked(
        self, rows: np.ndarray, width: np.ndarray, pieces: np.ndarray, error: np.ndarray
    ) -> np.ndarray:
        """The errors (n,) of attempts, above 1 for one that must not be taken."""
        return error

    def _pass_stops(self, rows: np.ndarray, landed: np.ndarray) -> None:
        """Leave behind the stops at which these rows have landed, (n,)."""
        self._next_stop[rows] += landed & (self._stops[rows, self._next_stop[rows]] <= self.time[rows])

    def _slopes(self, rows: np.ndarray, time: np.ndarray, states: Any, parameters: list[np.ndarray]) -> Any:
        """The right-hand sides of these rows at times (n, p); the delayed states come after the others."""
        return self._problem.field(time, states, parameters)

    def _attempt(self, rows: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The piece (D, n, p + 1) of a step, the states (D, n) after it, and its error (n,) by the tolerance.

        The error is taken to be the last two coefficients, which is more than the piece lacks. It is infinite where
        the iteration does not converge.
        """
        begin = self.state[:, rows]
        scale = self._scale(rows, begin[..., None])
        time = self.time[rows, None] + width[:, None] * POINTS
        late = [
            self.history.at(rows, component, time - self._delays[delay, rows, None])
            for _, component, delay in self._problem.system.delayed
        ]
        # Whole arrays in one piece, so that every row takes the same way through the processor.
        parameters = [np.repeat(values[rows, None], NODES, axis=1) for values in self._parameters]

        def slopes_at(states: np.ndarray) -> np.ndarray:
            slopes = np.empty_like(states)
            for component, values in enumerate(self._slopes(rows, time, (*states, *late), parameters)):
                slopes[component] = values
            return width[:, None] * slopes

        states = np.repeat(begin[..., None], NODES, axis=2)
        change, moving = np.full(len(rows), np.inf), np.ones(len(rows), dtype=bool)
        for _ in range(ROUNDS):
            found = begin[..., None] + _combined(slopes_at(states), INNER)
            scale = self._scale(rows, found) if self._by_component else scale
            change = np.where(moving, (np.abs(found - states).max(axis=2) / scale).max(axis=0), change)
            # A row that has converged stays as it is, however long its neighbours take.
            states = np.where(moving[:, None], found, states)
            moving &= change > CONVERGED
            if not moving.any():
                break
        slopes = slopes_at(states)
        pieces, after = _combined(slopes, COEFFICIENTS), begin + _combined(slopes, ENDS)[..., 0]
        error = (np.abs(pieces[..., -2:]).max(axis=2) / scale).max(axis=0) / self._problem.tolerance
        pieces[..., 0] += begin
        sound = (change <= SETTLED) & np.isfinite(after).all(axis=0)
        return pieces, after, np.where(sound, error, np.inf)

    def _scale(self, rows: np.ndarray, states: np.ndarray) -> np.ndarray:
        """What errors (D, n) are measured by, on a step through states (D, n, p)."""
        sizes = np.abs(states).max(axis=2)
        if not self._by_component:
            return 1 + sizes
        sizes = np.fmax(self._sizes[:, rows], sizes)
        # What is 0 has no errors.
        return np.where(sizes > 0, sizes, 1.0)

    def _smaller(self, least: float) -> np.ndarray:
        return np.asarray(((self._sizes < least) & (self._sizes > 0)).any(axis=0))

    def uneven(self) -> np.ndarray:
        """Which rows (n,) should be measured by component, and are not."""
        if self._by_component:
            return np.zeros(len(self._small), dtype=bool)
        return self._small | self._smaller(LEAST)

    def _advance(self, rows: np.ndarray, width: np.ndarray, pieces: np.ndarray, after: np.ndarray) -> None:
        self.history.add(rows, self.time[rows], width, pieces, self.time - self._delays.max(axis=0))
        self.state[:, rows] = after
        self._sizes[:, rows] = np.fmax(self._sizes[:, rows], np.abs(after))
        self._small[rows] |= self._smaller(LEAST_ON_THE_WAY)[rows]
        self.time[rows] += width

    def write(self, rows: np.ndarray, times: np.ndarray, out: np.ndarray) -> None:
        """What the last steps of these rows crossed of the grid `times` (T,), to `out` (n, T, D)."""
        first, last = self._written[rows], np.searchsorted(times, self.time[rows], side="right")
        counts = np.maximum(last - first, 0)
        which = np.repeat(rows, counts)
        places = (
            np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        )
        for component in range(len(self.state)):
            out[which, places, component] = self.history.last(which, component, times[places])
        self._written[rows] = np.maximum(first, last)

    def _judge(self, rows: np.ndarray, accepted: np.ndarray, end: float) -> None:
        """Which of the rows get nowhere?"""
        shortest = SHORTEST * np.maximum(np.abs(self.time[rows]), self._delays[:, rows].min(axis=0))
        stuck = ~accepted & (self._width[rows] <= shortest)
        tired = (self._attempts[rows] >= self._most) & (self.time[rows] < end) & (self._most > 0)
        self.status[rows[tired]] = Status.STEP_LIMIT
        self.status[rows[stuck]] = Status.DIVERGED

    def rescale(self, components: slice, factors: np.ndarray) -> None:
        """Multiply components, now and in the past, of each row by its factor (n,); sound for linear ones alone."""
        self.state[components] *= factors
        self._sizes[components] *= factors
        self.history.scale(components, factors)


def _combined(slopes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Sums (D, n, q) of slopes (D, n, p) with the weights (p, q).

    No matrix product: its sums depend on how many rows there are.
    """
    total = slopes[..., :1] * matrix[0]
    for number in range(1, len(matrix)):
        total += slopes[..., number : number + 1] * matrix[number]
    return total
