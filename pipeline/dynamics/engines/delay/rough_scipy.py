"""SciPy's solve_ivp through the kinks and jumps of a delay equation: from one to the next, a row at a time."""

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from ...systems.delay import DelaySystem
from .breaking_points import breaking_points
from .crossings import UnresolvedError
from .dense_past import DensePast
from .pieces import DelayPieces
from .stops import Stops
from .switching import DEPTH, DelaySwitch, LostError, Path, Stop

# A trial step is this part of the way to the next stop, and so much shorter as often as it fails.
TRIAL, TRIALS, SHORTER = 1 / 64, 15, 0.1
# A step of the solver is looked at in pieces, halved so often at the most.
HALVINGS = 12
# What solve_ivp says where it fails.
FAILED = -1


class RoughWay:
    """One row on its way.

    options  makes of a function f(t, x) and its Jacobian what solve_ivp is to be called with
    level    so many delays after a kink it is not felt any more
    """

    def __init__(
        self,
        system: DelaySystem,
        pieces: DelayPieces,
        parameters: np.ndarray,
        past: DensePast,
        options: Callable[..., dict[str, Any]],
        level: int,
    ) -> None:
        self._system, self._pieces, self._parameters = system, pieces, parameters
        self._delays = system.delay_values(parameters[None])[0]
        self._shortest, self._level = float(self._delays.min()), level
        self._values = parameters.tolist()
        self._switch = DelaySwitch(pieces, parameters, self._shortest)
        self._past, self._found = past, Stops(self._delays, pieces.carrying, level)
        self._sides = np.zeros(pieces.number)
        self._make, self._options = options, dict[str, Any]()

    def go(self, state: np.ndarray, start: float, end: float) -> Any:
        """Yields (begin, the result of solve_ivp) for each piece; the last one may have failed."""
        known = [*breaking_points(self._delays, start, end, self._level), end]
        time, settled, asked = start, frozenset[int](), np.nan
        # How large components become that begin at 0 is seen with these sides.
        self._sides = self._switch.signs(time, self._here(time, state))
        self._options = self._make(*self._functions())
        try:
            self._sides, settled = self._switch.first(
                time, self._here(time, state), lambda sides: self._trial(time, end, state, sides)
            )
            if settled:
                self._options = self._make(*self._functions())
            while time < end:
                near = self._switch.nearness(time)
                stop = min(known[bisect_right(known, time + near) :] or [end])
                stop = min(stop, self._found.next, end)
                parts = max(1, int(np.ceil((stop - time) / self._shortest * (1 - 1e-9))))
                aim = stop if parts == 1 else time + (stop - time) / parts
                result = solve_ivp(t_span=(time, aim), y0=state, dense_output=True, **self._options)
                if result.status != 0:
                    yield time, result
                    return
                found = self._look(result.sol, settled)
                if found is not None and found[0] < aim - self._switch.nearness(aim):
                    if found[0] > time + near:
                        self._found.aim(*found)
                        continue
                    if asked == time:
                        raise LostError
                    asked, settled = time, found[1] | settled
                    self._settle(time, end, state, settled)
                    continue
                yield time, result
                before, last = result.sol.ts[-2:]
                met = self._switch.near(self._path(result.sol), before, last, self._sides)
                met |= found[1] if found is not None else frozenset()
                time, state = aim, result.y[:, -1]
                self._past.add(aim, result.sol, aim - self._delays.max())
                met |= self._found.pass_by(time + self._switch.nearness(time))
                settled = met
                if met and time < end and self._settle(time, end, state, met):
                    self._found.follow(time)
        except LostError:
            yield time, None

    def _functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Right-hand side and Jacobian at a time and state, on the sides where the row is."""

        def on_sides(function: Callable[..., Any]) -> Callable[..., Any]:
            return lambda time, state, _: function(
                time, [*state, *self._late(time)], self._values, self._sides.tolist()
            )

        field, jacobian = self._pieces.scalar()
        return on_sides(field), on_sides(jacobian)

    def meets_branch(self, solution: Any) -> bool:
        """Does a function such as a root come to its branch point on the way of the solver? A first glance tells
        most that do not."""
        times = solution.ts
        values = self._path(solution)(times)
        spread = [np.full(len(times), value) for value in self._values], []
        guards = self._pieces.guards(times, values, *spread)
        if (guards.min(axis=1) > DEPTH * np.abs(guards).max(axis=1)).all():
            return False
        return self._look(solution, frozenset()) is not None

    def _look(self, solution: Any, settled: frozenset[int]) -> Stop | None:
        """Where the first of the solver's steps that may not be taken has to end."""
        path = self._path(solution)
        for begin, end in pairwise(solution.ts):
            found = self._look_within(path, float(begin), float(end), settled, HALVINGS)
            if found is not None:
                return found
            settled = frozenset()
        return None

    def _look_within(
        self, path: Path, begin: float, end: float, settled: frozenset[int], halvings: int
    ) -> Stop | None:
        try:
            return self._switch.end_of(path, begin, end, self._sides, settled)
        except UnresolvedError:
            if not halvings:
                raise LostError from None
        middle = (begin + end) / 2
        first = self._look_within(path, begin, middle, settled, halvings - 1)
        return first or self._look_within(path, middle, end, frozenset(), halvings - 1)

    def _settle(self, time: float, end: float, state: np.ndarray, met: frozenset[int]) -> bool:
        """New sides on these surfaces; do they differ from the old ones? Raises LostError."""
        before = self._sides
        self._sides = self._switch.settle(
            time, self._here(time, state), before, met, lambda sides: self._trial(time, end, state, sides)
        )
        return bool((before != self._sides).any())

    def _trial(
        self, time: float, end: float, state: np.ndarray, sides: np.ndarray
    ) -> tuple[Path, float, float] | None:
        kept, width = self._sides, TRIAL * min(self._shortest, self._found.next - time, end - time)
        self._sides = sides
        try:
            for _ in range(TRIALS):
                result = solve_ivp(t_span=(time, time + width), y0=state, dense_output=True, **self._options)
                if result.status == 0:
                    return self._path(result.sol), time, time + width
                width *= SHORTER
        finally:
            self._sides = kept
        return None

    def _path(self, solution: Any) -> Path:
        def path(times: np.ndarray) -> list[np.ndarray]:
            late = np.array([self._late(float(time)) for time in times])
            return [*solution(times), *late.T]

        return path

    def _here(self, time: float, state: np.ndarray) -> list[np.ndarray]:
        return [np.array([value]) for value in (*state.tolist(), *self._late(time))]

    def _late(self, time: float) -> list[float]:
        return [
            self._past.at(component, time - float(self._delays[delay]))
            for _, component, delay in self._system.delayed
        ]
