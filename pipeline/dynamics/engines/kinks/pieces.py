"""Equations with kinks and jumps as analytic pieces, between the surfaces on which these lie.

`abs(g)` is s g and `sign(g)` is s, where s = -1 or 1 is the side of the surface g = 0 on which the state lies.
Between surfaces the equations are analytic.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import sympy

from ...systems import System
from ...systems.compiling import compiled

# With more of them, or longer equations, algebra and compiling take minutes.
MOST_SURFACES, MOST_CHARACTERS = 30, 5_000
# What SymPy makes of functions where they have no real, finite value.
NO_NUMBERS = sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo


class Pieces:
    """The pieces of a system's equations.

    system, parameters  whose equations, and those symbols of its parameters that functions below are given values of

    system    the same
    sides     symbols of s, one for each surface
    surfaces  g in the system's symbols and the sides of surfaces before it
    field     the equations in those symbols
    variables  symbols of the states and of the time
    moving    which surfaces have a g that changes along a trajectory
    """

    def __init__(self, system: System, parameters: Sequence[sympy.Symbol]) -> None:
        self.system = system
        self._parameters = tuple(parameters)
        self.sides: list[sympy.Symbol] = []
        self.surfaces: list[sympy.Expr] = []
        self._jumps: list[bool] = []
        self.field = [self._take_apart(expression) for expression in system.vector_field]
        # A solver places the zeros of g by parts of 1.
        self.surfaces = [surface * _unit(surface, system.units) for surface in self.surfaces]
        self.variables = (*system.state_symbols, system.time_symbol)
        self.moving = [bool(surface.free_symbols & {*self.variables}) for surface in self.surfaces]

    def _take_apart(self, expression: Any) -> Any:
        kinds = (sympy.Abs, sympy.sign)
        while expression.has(*kinds):
            # The innermost first: of what is inside them, the side is then known.
            inner = sorted(
                (part for part in expression.atoms(*kinds) if not part.args[0].has(*kinds)),
                key=sympy.default_sort_key,
            )
            replaced = {part: self._on_sides(part) for part in inner}
            expression = expression.xreplace(replaced)
        return expression

    def _on_sides(self, part: Any) -> Any:
        """What `abs(g)` or `sign(g)` is on known sides of the surfaces on which it has its kink or jump."""
        jumps = isinstance(part, sympy.sign)
        value = sympy.Integer(1)
        for factor, power in _factors(part.args[0]):
            if factor.is_number:
                value *= sympy.sign(factor) if jumps else abs(factor)
            elif factor in self.sides:
                value *= factor**power if jumps else 1
            elif power % 2 == 0:
                # On no side is it negative; that `sign` is 0 for an instant changes nothing.
                value *= 1 if jumps else factor**power
            else:
                number, turned = self._place(factor)
                self._jumps[number] |= jumps
                side = turned * self.sides[number]
                value *= side if jumps else side * factor**power
        return value

    def _place(self, surface: Any) -> tuple[int, int]:
        """The number of a surface, and -1 if it is that one turned round, else 1."""
        for number, known in enumerate(self.surfaces):
            if surface == known:
                return number, 1
            if surface.free_symbols == known.free_symbols:
                ratio = sympy.cancel(surface / known)
                if ratio.is_number and ratio.is_nonzero:
                    return number, 1 if ratio > 0 else -1
        self.surfaces.append(surface)
        self.sides.append(sympy.Dummy(f"side{len(self.sides)}", real=True))
        self._jumps.append(False)
        return len(self.surfaces) - 1, 1

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
        return sympy.Add(self.normals[number][-1], *self._along(number, field))

    def _along(self, number: int, field: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """What each state's motion by these equations adds to dg/dt."""
        return [slope * speed for slope, speed in zip(self.normals[number][:-1], field, strict=True)]

    @cached_property
    def normals(self) -> list[list[sympy.Expr]]:
        """The gradient of each g, in space and time."""
        return [[surface.diff(variable) for variable in self.variables] for surface in self.surfaces]

    @cached_property
    def sizes(self) -> list[list[sympy.Expr]]:
        """Of each surface, what adds up, in absolute value, to the scale of rounding in g.

        Those are its terms, and what each of them changes by where a state or the time changes by itself.
        """
        return [
            [
                part
                for term in sympy.Add.make_args(surface)
                for part in (term, *(term.diff(variable) * variable for variable in self.variables))
                if part != 0
            ]
            for surface in self.surfaces
        ]

    @cached_property
    def motions(self) -> list[list[sympy.Expr]]:
        """Of each surface, what adds up, in absolute value, to the speed of g, on both sides of it."""
        found = []
        for number in range(len(self.surfaces)):
            fields = (
                [self.on_side(number, side) for side in (1, -1)] if number in self.jumps else [self.field]
            )
            along = (part for field in fields for part in self._along(number, field))
            found.append([part for part in (self.normals[number][-1], *along) if part != 0])
        return found

    def function(self, expressions: Any, modules: str) -> Callable[..., Any]:
        """A Python function (t, x, p, s) of expressions; x, p, and s are sequences."""
        arguments = (
            self.system.time_symbol,
            self.system.state_symbols,
            self._parameters,
            self.sides,
        )
        return compiled(arguments, expressions, modules)


def _unit(surface: Any, units: Mapping[sympy.Symbol, sympy.Expr]) -> Any:
    """What makes a distance of a state's size one of about 1; what does not mention a scale already is."""
    measured = sorted(surface.free_symbols & units.keys(), key=str)
    return units[measured[0]] if measured else sympy.Integer(1)


def _factors(surface: Any) -> list[tuple[Any, int]]:
    """What, each to its power, multiplies to g; so that two jumps where g is zero are known to be one."""
    try:
        found: Any = sympy.factor_list(surface)
    except sympy.PolynomialError:
        return [(surface, 1)]
    number, factors = found
    if (number == 1 and len(factors) == 1 and factors[0][1] == 1) or not all(
        isinstance(power, int | sympy.Integer) for _, power in factors
    ):
        return [(surface, 1)]
    return [(number, 1), *factors]


def analytic_in_pieces(system: System) -> bool:
    """Are the equations analytic up to every kink and jump, and are these few?

    A root of what has a kink, such as `abs(x)**0.5`, has no series at the kink; `log(sign(x))` has no
    value on one side.
    """
    kinds = (sympy.Abs, sympy.sign)
    rough = {
        power
        for expression in system.vector_field
        for power in expression.atoms(sympy.Pow)
        if power.base.has(*kinds) and not power.exp.is_integer
    }
    surfaces = {part.args[0] for expression in system.vector_field for part in expression.atoms(*kinds)}
    small = len(surfaces) <= MOST_SURFACES and sum(map(len, system.equations.values())) <= MOST_CHARACTERS
    return not rough and (small or not surfaces) and not (surfaces and _is_empty_beyond_a_jump(system))


def _is_empty_beyond_a_jump(system: System) -> bool:
    """Have the equations no real, finite value on one side of a jump?"""
    return any(
        value.is_number and sympy.N(value).has(*NO_NUMBERS)
        for expression in system.vector_field
        for jump in expression.atoms(sympy.sign)
        for part in sympy.preorder_traversal(expression)
        if part.has(jump)
        for value in (part.xreplace({jump: side}) for side in (sympy.S.One, sympy.S.NegativeOne))
    )
