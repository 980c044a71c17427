"""SciPy's solvers with an eye on what lies between their stages: kinks, jumps, roots that touch zero, and poles.

The arguments of all branches are looked at along the whole of each step. Where one comes to zero, the step stands if
it has felt it: if the integral of the equations along it, put together of its two sides, is what the step says. If
not, the solver goes to that time, and begins anew there.
"""

from collections.abc import Callable
from itertools import pairwise
from math import isfinite, nan
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.polynomial import legendre

from ..kinks.branches import Kind
from .careful import Careful, LeftDomainError, StepLimitReachedError
from .meetings import FEW, HIDDEN, Step, along, at, crossing, quiet, touching

# An argument that is negative by this part of what it was before, or by so many tolerances, has left its domain.
BEYOND, BEYOND_TOLERANCES = 1e-9, 100.0
# A step has felt a branch if it is off by no more than so many tolerances.
FELT = 10.0
# Integrals are taken in panels that shrink four times each towards a branch.
SHRINKING = 4.0 ** -np.arange(22)
# A branch so near to where a step begins, relative to the time and the span, is where it begins.
BEGUN = 1e-13
# A row that meets branches so often and advances by less than this part of its span gets nowhere.
OFTEN, NOWHERE = 200, 1e-6
# Distances from a pole, relative to the step, at which slopes that have a limit come nearer to each other.
TOWARDS = np.array([1e-6, 1e-7, 1e-8])
ROUGH = 1e-6

# So much nearer to a jump than a solver's errors are large, slopes are what they were there, and do not vanish.
BESIDE, VANISHING = 1e-6, 0.9

_GAUSS, _WEIGHTS = legendre.leggauss(8)


class March:
    """One row on its way.

    make        a solver of SciPy's: (t, x, end) -> OdeSolver
    field       f(t, x, p) as a list, of lists
    tolerances  relative, and absolute: a number, or one for each component
    """

    def __init__(
        self,
        careful: Careful,
        make: Callable[[float, np.ndarray, float], Any],
        field: Callable[..., Any],
        parameters: list[float],
        tolerances: tuple[float, Any],
    ) -> None:
        self._careful, self._make, self._field, self._parameters = careful, make, field, parameters
        self._relative, self._absolute = tolerances
        self._most = np.zeros(len(careful.branches))
        self._met, self._met_at = 0, -np.inf

    def run(self, start: np.ndarray, times: np.ndarray, grid: np.ndarray | None) -> SimpleNamespace:
        """As `solve_ivp` does: status, t (n,) and y (D, n), on a grid, or at the ends of all steps.

        Raises StepLimitReachedError and LeftDomainError.
        """
        end = float(times[-1])
        self._span, self._end = end - float(times[0]), end
        self._kinds = self._careful.kinds(start.tolist(), self._parameters)
        self._positive = [kind is Kind.ROOT for kind in self._kinds]
        begin = float(times[0])
        on_a_surface = 0.0 in self._arguments(begin, start.tolist())[: len(self._kinds)]
        start = self._resting(begin, start) if on_a_surface else start
        solver, written = self._make(begin, start, end), 0
        seen_at, seen, status = [times[:0]], [start[:, None][:, :0]], 0
        if grid is None:
            seen_at, seen = [times[:1]], [start[:, None]]
        while True:
            begin, before = float(solver.t), solver.y.copy()
            solver.step()
            if solver.status == "failed":
                status = -1
                break
            dense, now = solver.dense_output(), float(solver.t)
            again = self._look(Step(begin, before, now, solver.y, dense))
            if again is not None:
                solver = self._make(*again)
                continue
            if grid is None:
                seen_at.append(np.array([now]))
                seen.append(solver.y[:, None])
            else:
                reached = int(np.searchsorted(grid, now, side="right"))
                if reached > written:
                    seen_at.append(grid[written:reached])
                    seen.append(dense(grid[written:reached]))
                    written = reached
            if solver.status == "finished":
                if now >= end:
                    break
                solver = self._make(now, self._resting(now, solver.y), end)
        return SimpleNamespace(status=status, t=np.concatenate(seen_at), y=np.concatenate(seen, axis=1))

    def _look(self, step: Step) -> tuple[float, np.ndarray, float] | None:
        """Time and state to go on from, and where to, instead of this step; None if it stands."""
        found = self._meetings(step)
        if not found:
            return None
        self._met += 1
        if self._met % OFTEN == 0:
            if step.end - self._met_at < NOWHERE * self._span:
                raise StepLimitReachedError
            self._met_at = step.end
        begun = BEGUN * (abs(step.begin) + self._span)
        if found[0] <= step.begin + begun:
            rests = self._resting(step.begin, step.before)
            if (np.abs(rests - step.before) > 2 * np.spacing(np.abs(step.before))).any():
                return step.begin, rests, self._end
        ahead = [time for time in found if step.begin + begun < time < step.end]
        if not ahead:
            return None
        here = step.at(ahead[0])
        if np.array_equal(self._resting(ahead[0], here), here) and self._felt(step, found):
            return None
        return step.begin, step.before, ahead[0]

    def _resting(self, time: float, state: np.ndarray) -> np.ndarray:
        """A state that is on a surface, but for an error, on which it stays: without the error.

        On a jump its slope may be zero there alone; where one side leads away, it goes on to that one.
        """
        values, slopes = state.tolist(), self._careful.slopes(time, state.tolist(), self._parameters)
        arguments = self._arguments(time, values)
        allowed = FELT * (self._absolute + self._relative * np.abs(state)) + np.zeros(len(state))
        for number, component in enumerate(self._careful.lines):
            if component is None or self._kinds[number] not in (Kind.KINK, Kind.ROOT):
                continue
            there = values[component] - arguments[number] / slopes[number]
            moved = [*values[:component], there, *values[component + 1 :]]
            near = abs(there - values[component]) <= allowed[component]
            if (
                near
                and self._arguments(time, moved)[number] == 0
                and self._slopes(time, moved)[component] == 0
            ):
                beside = BESIDE * allowed[component] + 4 * np.spacing(abs(there))
                away = [side for side in (-1, 1) if self._leads_away(time, moved, component, side * beside)]
                if not away:
                    values = moved
                elif len(away) == 1:
                    values = [*values[:component], there + away[0] * beside, *values[component + 1 :]]
        return np.array(values)

    def _leads_away(self, time: float, state: list[float], component: int, distance: float) -> bool:
        """Does a component so far from where it is at rest go on from there, however near that is?"""
        near, far = (
            self._slopes(time, [*state[:component], state[component] + step, *state[component + 1 :]])[
                component
            ]
            for step in (distance, distance / BESIDE)
        )
        return near * distance > 0 and abs(near) > VANISHING * abs(far)

    def _arguments(self, time: float, state: list[float]) -> list[float]:
        return self._real(self._careful.arguments, 2 * len(self._kinds), time, state)

    def _slopes(self, time: float, state: list[float]) -> list[float]:
        return self._real(self._field, len(state), time, state)

    def _real(self, function: Callable[..., Any], count: int, time: float, state: list[float]) -> list[float]:
        try:
            values = function(float(time), state, self._parameters)
            # Of complex numbers, which powers of negative ones are, this raises.
            return values if isfinite(sum(values)) else [float(value) for value in values]
        except (ArithmeticError, ValueError, TypeError):
            return [nan] * count

    def _meetings(self, step: Step) -> list[float]:
        """Times in a step at which a branch may be met, in order. Raises LeftDomainError."""
        few = at(step, step.begin + (step.end - step.begin) * FEW, self._arguments)
        if quiet(few, self._positive):
            self._most = np.maximum(self._most, few[-1][len(self._kinds) :])
            return []
        times, values, sizes = along(step, self._arguments)
        found = [
            self._meeting(number, kind, step, times, values[number], sizes[number])
            for number, kind in enumerate(self._kinds)
            if kind is not None
        ]
        return sorted(time for time in found if time is not None)

    def _meeting(
        self, number: int, kind: Kind, step: Step, times: np.ndarray, values: np.ndarray, sizes: np.ndarray
    ) -> float | None:
        """When an argument comes to zero, or a pole's near to it, first."""
        if not np.isfinite(values).all():
            raise LeftDomainError
        most = self._most[number] = max(self._most[number], np.abs(values).max(), sizes.max())

        def argument(time: float) -> float:
            return float(self._arguments(time, step.at(time).tolist())[number])

        crossed = crossing(times, values, argument)
        if kind is Kind.KINK:
            return crossed
        touched = touching(times, values, argument)
        if kind is Kind.ROOT:
            allowed = max(BEYOND, BEYOND_TOLERANCES * self._relative) * most
            # Tolerances by component say nothing of an argument beside what it is relative to.
            absolute = self._absolute if np.ndim(self._absolute) == 0 else 0.0
            if values.min() < -allowed - BEYOND_TOLERANCES * absolute:
                raise LeftDomainError
            # Where it comes back, it has touched zero, with an error.
            return touched if crossed is None or values[-1] > 0 else crossed
        hidden = np.abs(values) <= HIDDEN * sizes
        if crossed is None and not hidden.any():
            return touched
        pole = float(times[hidden.argmax()]) if crossed is None else crossed
        if not self._has_limit(pole, step):
            raise LeftDomainError
        return pole

    def _has_limit(self, pole: float, step: Step) -> bool:
        """Do slopes have a limit on both sides of what looks like a pole, as those of sin(x)/x have?"""
        for side in (-1, 1):
            times = pole + side * (step.end - step.begin) * TOWARDS
            one, two, three = (
                np.array(self._slopes(time, step.at(time).tolist())) for time in times.tolist()
            )
            hidden = ROUGH * np.abs(three)
            if not (np.abs(three - two) <= np.abs(two - one) / 2 + hidden).all():
                return False
        return True

    def _felt(self, step: Step, meetings: list[float]) -> bool:
        """Is what a step moved the integral of the equations along it, up to each meeting and from there on?"""
        total = np.zeros(len(step.before))
        for begin, end in pairwise(sorted({step.begin, *meetings, step.end})):
            # Distances from both ends, towards which slopes may be steep.
            edges = (end - begin) / 2 * np.append(SHRINKING, 0.0)
            for far, near in pairwise(edges):
                places = (near + far) / 2 + (far - near) / 2 * _GAUSS
                for times in (begin + places, end - places):
                    columns = zip(times.tolist(), np.asarray(step.dense(times)).T.tolist(), strict=True)
                    slopes = np.array([self._slopes(time, state) for time, state in columns])
                    total += (far - near) / 2 * (_WEIGHTS @ slopes)
        size = np.maximum(np.abs(step.before), np.abs(step.after))
        allowed = FELT * (self._absolute + self._relative * size) + 1e-15 * size
        return bool((np.abs(step.after - step.before - total) <= allowed).all())
