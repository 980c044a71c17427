"""Delay equations with kinks and jumps as analytic pieces: those of `pieces`, delayed states among the states."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np
import sympy

from ...systems import System
from ...systems.delay import DelaySystem
from ...systems.real_calculus import absolute, derivative
from ..kinks.pieces import Pieces


class _Widened(NamedTuple):
    """What `Pieces` asks of a system, with the delayed states among the states."""

    vector_field: tuple[sympy.Expr, ...]
    state_symbols: tuple[sympy.Symbol, ...]
    time_symbol: sympy.Symbol
    units: Mapping[sympy.Symbol, sympy.Expr] = MappingProxyType({})


class DelayPieces:
    """The pieces of a delay equation.

    number    of surfaces; each has a side, -1, 0 or 1
    jumps     numbers of the surfaces on which equations may jump
    moving    numbers of the surfaces whose g changes along a trajectory
    nested    numbers of the surfaces whose g mentions sides of others
    carrying  numbers of the delays by which the equations take up a delayed state itself, not the side alone on which
              it is

    The functions take the time, the states followed by the delayed ones, parameters and sides: arrays of one shape.
    """

    def __init__(self, system: DelaySystem) -> None:
        symbols = (*system.state_symbols, *(one.symbol for one in system.delayed))
        widened = cast(System, _Widened(system.vector_field, symbols, system.time_symbol))
        pieces = Pieces(widened, system.parameter_symbols)
        changing = {*symbols, system.time_symbol}
        self._slopes = [_real_beyond(expression, pieces) for expression in pieces.field]
        guards = {
            guard: None
            for expression in (*pieces.field, *pieces.surfaces)
            for guard in _guards(expression)
            if guard.free_symbols & changing
        }
        mentioned = {symbol for expression in pieces.field for symbol in expression.free_symbols}
        self.number = len(pieces.surfaces)
        self.jumps = frozenset(pieces.jumps)
        self.moving = [number for number, moves in enumerate(pieces.moving) if moves]
        self.nested = frozenset(
            number for number, surface in enumerate(pieces.surfaces) if surface.has(*pieces.sides)
        )
        self.carrying = sorted({one.delay for one in system.delayed if one.symbol in mentioned})
        self.guarded = bool(guards)
        self._states, self._pieces = system.state_symbols, pieces
        self.field = pieces.function(self._slopes, "scipy")
        self._surfaces = pieces.function(pieces.surfaces, "scipy")
        self._sizes = pieces.function(pieces.sizes, "scipy")
        self._guards = pieces.function(list(guards), "scipy")
        self._guard_sizes = pieces.function([_terms(guard, changing) for guard in guards], "scipy")

    @property
    def smooth(self) -> bool:
        """Are the equations analytic wherever they are defined?"""
        return not (self.number or self.guarded)

    def scalar(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The equations and their Jacobian by the states, of one state at a time."""
        jacobian = [[derivative(slope, state) for state in self._states] for slope in self._pieces.field]
        return self._pieces.function(self._slopes, "math"), self._pieces.function(jacobian, "math")

    def surfaces(self, time: Any, values: Any, parameters: Any, sides: Any) -> np.ndarray:
        """g of each surface, (surfaces, ...)."""
        return _stacked(self._surfaces, time, values, parameters, sides)

    def guards(self, time: Any, values: Any, parameters: Any, sides: Any) -> np.ndarray:
        """What must stay above 0 for roots and inverse functions to be analytic, (guards, ...)."""
        return _stacked(self._guards, time, values, parameters, sides)

    def sizes(self, time: Any, values: Any, parameters: Any, sides: Any) -> np.ndarray:
        """What g of each surface is rounded by, in units of rounding, (surfaces, ...)."""
        return _added(self._sizes, time, values, parameters, sides)

    def guard_sizes(self, time: Any, values: Any, parameters: Any, sides: Any) -> np.ndarray:
        """The same of each guard, (guards, ...)."""
        return _added(self._guard_sizes, time, values, parameters, sides)


def _stacked(function: Callable[..., Any], time: Any, values: Any, parameters: Any, sides: Any) -> np.ndarray:
    found = function(time, values, parameters, sides)
    return np.array([np.broadcast_to(value, np.shape(time)) for value in found], dtype=np.float64)


def _added(function: Callable[..., Any], time: Any, values: Any, parameters: Any, sides: Any) -> np.ndarray:
    found = function(time, values, parameters, sides)
    return np.array([np.broadcast_to(sum(map(np.abs, parts)), np.shape(time)) for parts in found])


def _terms(expression: Any, changing: set[sympy.Symbol]) -> list[Any]:
    """What an expression adds up, and what each part of that changes by where a variable changes by itself."""
    terms = sympy.Add.make_args(expression)
    ordered = sorted(changing & expression.free_symbols, key=str)
    return [*terms, *(derivative(term, symbol) * symbol for term in terms for symbol in ordered)]


def _real_beyond(expression: Any, pieces: Pieces) -> Any:
    """An expression whose roots and logarithms of |g| are so on both sides: a step may look beyond a surface, and
    rounding may put a state there."""
    sized = [side * surface for side, surface in zip(pieces.sides, pieces.surfaces, strict=True)]

    def is_size(part: Any) -> bool:
        return any((ratio := part / size).is_number and ratio.is_positive for size in sized)

    powers = [power for power in expression.atoms(sympy.Pow) if not power.exp.is_integer]
    found = {power: sympy.Pow(absolute(power.base), power.exp) for power in powers if is_size(power.base)}
    logarithms = (each for each in expression.atoms(sympy.log) if is_size(each.args[0]))
    return expression.xreplace(found | {each: sympy.log(absolute(each.args[0])) for each in logarithms})


def _guards(expression: Any) -> list[Any]:
    """What is 0 at the branch points of an expression's functions, and above 0 where these are real."""
    found = [power.base for power in expression.atoms(sympy.Pow) if not power.exp.is_integer]
    found += [1 - inverse.args[0] ** 2 for inverse in expression.atoms(sympy.asin, sympy.acos)]
    found += [inverse.args[0] - 1 for inverse in expression.atoms(sympy.acosh)]
    return sorted(found, key=sympy.default_sort_key)
