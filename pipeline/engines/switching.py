"""Equations with kinks and jumps as analytic pieces: which piece holds, where it ends, and which one follows.

`abs(g)` is s g and `sign(g)` is s, where s = -1 or 1 is the side of the surface g = 0 on which the state lies.
Between surfaces the equations are analytic; a solver stops where it meets one, and asks here how to go on. Where both
sides of a jump lead to it, the state slides along it, by the mean of the two that stays on it: Filippov (1988),
Differential Equations with Discontinuous Righthand Sides, doi:10.1007/978-94-015-7793-9.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import sympy

from ..systems import System

# Of a mode; a state that slides along surface k has mode k + 1.
FREE, LOST = 0, -1
# So close to a surface, relative to the terms of g, rounding hides the side: it is the slope that tells it.
ON_SURFACE = 64 * 2.0**-52
# So far on the wrong side, relative to the terms of g and to its way of one step, a crossing was missed.
ASTRAY = 1e-10
# So much a side may lead away of a surface along which a state slides, relative to both.
HELD = 1e-9
# With more of them, or longer equations, algebra and compiling take minutes.
MOST_SURFACES, MOST_CHARACTERS = 30, 5_000


class Pieces:
    """The pieces of a system's equations.

    system, parameters  whose equations, and those symbols of its parameters that functions below are given values of

    sides     symbols of s, one for each surface
    surfaces  g in the system's symbols and the sides of surfaces before it
    field     the equations in those symbols
    moving    which surfaces have a g that changes along a trajectory
    """

    def __init__(self, system: System, parameters: Sequence[sympy.Symbol]) -> None:
        self._system = system
        self._parameters = tuple(parameters)
        self.sides: list[sympy.Symbol] = []
        self.surfaces: list[sympy.Expr] = []
        self._jumps: list[bool] = []
        self.field = [self._take_apart(expression) for expression in system.vector_field]
        changing = {*system.state_symbols, system.time_symbol}
        self.moving = [bool(surface.free_symbols & changing) for surface in self.surfaces]

    def _take_apart(self, expression: Any) -> Any:
        kinds = (sympy.Abs, sympy.sign)
        while expression.has(*kinds):
            # The innermost first: of what is inside them, the side is then known.
            inner = sorted(
                (part for part in expression.atoms(*kinds) if not part.args[0].has(*kinds)),
                key=sympy.default_sort_key,
            )
            replaced = {}
            for part in inner:
                surface: Any = part.args[0]
                if surface not in self.surfaces:
                    self.surfaces.append(surface)
                    self.sides.append(sympy.Dummy(f"side{len(self.sides)}", real=True))
                    self._jumps.append(False)
                number = self.surfaces.index(surface)
                if isinstance(part, sympy.sign):
                    self._jumps[number] = True
                side = self.sides[number]
                replaced[part] = side * surface if isinstance(part, sympy.Abs) else side
            expression = expression.xreplace(replaced)
        return expression

    def on_side(self, number: int, side: int) -> list[sympy.Expr]:
        """The equations on that side of a surface."""
        return [expression.subs(self.sides[number], side) for expression in self.field]

    @cached_property
    def jumps(self) -> list[int]:
        """Numbers of the surfaces on which equations may jump, so that a state may slide along them."""
        return [number for number, jumps in enumerate(self._jumps) if jumps and self.moving[number]]

    @cached_property
    def rates(self) -> list[tuple[sympy.Expr, sympy.Expr]]:
        """dg/dt of each surface by the equations of its positive and its negative side."""
        pairs = []
        for number in range(len(self.surfaces)):
            sides = (1, -1) if number in self.jumps else (None, None)
            up, down = (self.field if side is None else self.on_side(number, side) for side in sides)
            pairs.append((self._rate(number, up), self._rate(number, down)))
        return pairs

    def _rate(self, number: int, field: Sequence[sympy.Expr]) -> sympy.Expr:
        surface = self.surfaces[number]
        along = (
            surface.diff(state) * slope
            for state, slope in zip(self._system.state_symbols, field, strict=True)
        )
        return sympy.Add(surface.diff(self._system.time_symbol), *along)

    @cached_property
    def sizes(self) -> list[list[sympy.Expr]]:
        """Of each surface, what adds up, in absolute value, to the scale of rounding in g.

        Those are its terms, and what each of them changes by where a state or the time changes by itself.
        """
        variables = (*self._system.state_symbols, self._system.time_symbol)
        return [
            [
                part
                for term in sympy.Add.make_args(surface)
                for part in (term, *(term.diff(variable) * variable for variable in variables))
                if part != 0
            ]
            for surface in self.surfaces
        ]

    @cached_property
    def motions(self) -> list[list[sympy.Expr]]:
        """Of each surface, what adds up, in absolute value, to the speed of g, on both sides of it."""
        found = []
        for number, surface in enumerate(self.surfaces):
            fields = (
                [self.on_side(number, side) for side in (1, -1)] if number in self.jumps else [self.field]
            )
            along = (
                surface.diff(state) * slope
                for field in fields
                for state, slope in zip(self._system.state_symbols, field, strict=True)
            )
            found.append([part for part in (surface.diff(self._system.time_symbol), *along) if part != 0])
        return found

    def function(self, expressions: Any, modules: str) -> Callable[..., Any]:
        """A Python function (t, x, p, s) of expressions; x, p, and s are sequences."""
        arguments = (
            self._system.time_symbol,
            self._system.state_symbols,
            self._parameters,
            self.sides,
        )
        return sympy.lambdify(arguments, expressions, modules=modules, cse=True, dummify=True)


class Switch:
    """Decides, for one state at a time, on which side of each surface it is and along which it slides."""

    def __init__(self, pieces: Pieces) -> None:
        self._moving = pieces.moving
        self._number = len(pieces.surfaces)
        self._surfaces = pieces.function(pieces.surfaces, "math")
        self._rates = pieces.function(pieces.rates, "math")
        self._scales = pieces.function([pieces.sizes, pieces.motions], "math")
        # Which sides other surfaces mention: along those nothing slides that is known here.
        self._shapes = [any(surface.has(side) for surface in pieces.surfaces) for side in pieces.sides]
        # Which surfaces move where a side changes.
        self._nested = [surface.has(*pieces.sides) for surface in pieces.surfaces]
        self._vectorised = pieces.function([pieces.surfaces, pieces.sizes, pieces.motions], "numpy")

    def first(self, time: float, state: Sequence[float], values: Sequence[float]) -> tuple[list[float], int]:
        """Sides and mode at the start of a trajectory."""
        sides = [0.0] * self._number
        try:
            # One after the other, for a surface may mention the sides of those before it.
            for number in range(self._number):
                sides[number] = float(np.sign(self._surfaces(time, state, values, sides)[number]))
        except (ArithmeticError, ValueError, TypeError):
            return sides, LOST
        return self.settle(time, state, values, sides, FREE)

    def settle(
        self,
        time: float,
        state: Sequence[float],
        values: Sequence[float],
        sides: list[float],
        mode: int,
        met: int | None = None,
        direction: int | None = None,
    ) -> tuple[list[float], int]:
        """Sides and mode from here on; LOST if there is no single way on that is known here.

        met, direction  the surface that the trajectory just met, and the sign of dg/dt there; None at the start,
                        where the sides are no more than the signs of g
        """
        try:
            for _ in range(self._number + 2):
                before = sides, mode
                distances = self._surfaces(time, state, values, sides)
                sizes, motions = self._scales(time, state, values, sides)
                for number, distance in enumerate(distances):
                    near = sum(map(abs, sizes[number]))
                    if met is not None:
                        # Two surfaces are met at once if rounding of the time may hide which comes first.
                        near += abs(time) * sum(map(abs, motions[number]))
                    hidden = abs(distance) <= ON_SURFACE * near
                    apart = float(np.sign(distance))
                    if number == met or mode == number + 1:
                        on = True
                    elif not self._moving[number]:
                        on = False
                    elif met is None or self._nested[number]:
                        on = hidden
                    else:
                        # On its way a state keeps its side until it meets the surface, however close.
                        on = apart != sides[number]
                        if on and not hidden:
                            return sides, LOST
                    if on:
                        rates = self._rates_along(number, time, state, values, sides, mode)
                        side, slides = self._side(sides[number], rates, direction if number == met else None)
                        if side is None or (
                            slides and (mode not in (FREE, number + 1) or self._shapes[number])
                        ):
                            return sides, LOST
                        if slides:
                            mode = number + 1
                    else:
                        side, slides = apart, False
                    if mode == number + 1 and not slides:
                        mode = FREE
                    sides = [*sides[:number], side, *sides[number + 1 :]]
                if before == (sides, mode):
                    return sides, mode
        except (ArithmeticError, ValueError, TypeError):
            pass
        return sides, LOST

    @staticmethod
    def _side(side: float, rates: tuple[float, float], direction: int | None) -> tuple[float | None, bool]:
        """The side of a state on a surface, and whether it slides; None if it has no single way on."""
        up, down = rates
        if up < 0 < down:
            return side or 1.0, True
        if (up > 0 and down > 0) or (up < 0 and down < 0):
            return (1.0 if up > 0 else -1.0), False
        if direction == 0 or (up > 0 > down and not side):
            # It comes to rest on the surface, or starts where two trajectories begin.
            return None, False
        return float(direction or side or 1), False

    def leave(
        self, number: int, time: float, state: Sequence[float], values: Sequence[float], sides: list[float]
    ) -> tuple[list[float], int]:
        """Sides and mode where a state that slides along a surface is no longer held by one of its sides."""
        up, down = self._rates(time, state, values, sides)[number]
        side = 1.0 if abs(up) < abs(down) else -1.0
        return [*sides[:number], side, *sides[number + 1 :]], FREE

    def _rates_along(
        self,
        number: int,
        time: float,
        state: Sequence[float],
        values: Sequence[float],
        sides: list[float],
        mode: int,
    ) -> tuple[float, float]:
        """dg/dt on both sides of a surface, for a state that may slide along another."""
        other = mode - 1
        if mode == FREE or other == number:
            return self._rates(time, state, values, sides)[number]
        above, below = (
            self._rates(time, state, values, [*sides[:other], side, *sides[other + 1 :]])
            for side in (1.0, -1.0)
        )
        up, down = above[other]
        share = down / (down - up)
        return tuple(
            share * one + (1 - share) * two for one, two in zip(above[number], below[number], strict=True)
        )

    def astray(
        self,
        times: np.ndarray,
        steps: np.ndarray,
        states: np.ndarray,
        values: np.ndarray,
        sides: np.ndarray,
        modes: np.ndarray,
    ) -> np.ndarray:
        """Which of many states (D, lanes) are where their sides (surfaces, lanes) say that they cannot be.

        steps  (lanes,) length of the step that ended there
        """
        wrong = np.zeros(states.shape[1], dtype=bool)
        with np.errstate(all="ignore"):
            # A surface such as x = 0 has no terms left on it: what x was is then told by its way.
            reach = ASTRAY * np.abs(steps) + ON_SURFACE * np.abs(times)
            found = zip(*self._vectorised(times, states, values, sides), strict=True)
            for number, (distance, sizes, motions) in enumerate(found):
                if self._moving[number]:
                    off = np.where(modes == number + 1, np.abs(distance), -sides[number] * distance)
                    size, motion = (sum(map(np.abs, parts)) for parts in (sizes, motions))
                    wrong |= off > ASTRAY * size + reach * motion
            for lane in np.flatnonzero(modes > FREE):
                # One that slides is held from both sides.
                column = (
                    times[lane],
                    states[:, lane].tolist(),
                    values[:, lane].tolist(),
                    sides[:, lane].tolist(),
                )
                up, down = self._rates(*column)[int(modes[lane]) - 1]
                wrong[lane] |= max(up, -down) > HELD * (abs(up) + abs(down))
        return wrong & (modes != LOST)


def analytic_in_pieces(system: System) -> bool:
    """Are the equations analytic up to every kink and jump, and are these few?

    A root of what has a kink, such as `abs(x)**0.5`, has no series at the kink. No two jumps lie on one surface.
    """
    kinds = (sympy.Abs, sympy.sign)
    rough = {
        power
        for expression in system.vector_field
        for power in expression.atoms(sympy.Pow)
        if power.base.has(*kinds) and not power.exp.is_integer
    }
    surfaces = {part.args[0] for expression in system.vector_field for part in expression.atoms(*kinds)}
    jumps = {part.args[0] for expression in system.vector_field for part in expression.atoms(sympy.sign)}
    if any(_share_a_surface(one, other) for one, other in combinations(jumps, 2)):
        # A state that meets both jumps at once, as those of `sign(v)` and `sign(x*v)`, is not followed rightly.
        return False
    small = len(surfaces) <= MOST_SURFACES and sum(map(len, system.equations.values())) <= MOST_CHARACTERS
    return not rough and (small or not surfaces)


def _share_a_surface(one: Any, other: Any) -> bool:
    """Have two expressions a factor in common? Only of polynomials it is known."""
    try:
        return bool(sympy.gcd(one, other).free_symbols)
    except sympy.PolynomialError:
        return False
