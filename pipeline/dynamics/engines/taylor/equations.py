"""What heyoka compiles of a system: its equations, as heyoka's expressions, and what watches over them."""

from typing import Any

import heyoka
import sympy

from ...systems import System
from ..base.engine import EngineError
from ..kinks.pieces import Pieces
from .events import Events
from .guards import Guards
from .steep import shorteners, steep_arguments


def compiled(
    system: System, used: list[int]
) -> tuple[list[tuple[Any, Any]], Events | None, Guards | None, list[Any]]:
    """What heyoka integrates, the events at which equations with kinks or jumps change, and what guards branches.

    The last are events that never happen, and keep steps short.
    """
    symbols = [system.parameter_symbols[column] for column in used]
    mapping: dict[Any, Any] = dict(
        zip(symbols, (heyoka.par[index] for index in range(len(used))), strict=True)
    )
    mapping[system.time_symbol] = heyoka.time
    variables = [heyoka.expression(name) for name in system.states]
    mapping |= dict(zip(system.state_symbols, variables, strict=True))
    pieces = Pieces(system, symbols)
    if system.smooth:
        events, expressions = None, [_convert(expression, mapping) for expression in system.vector_field]
    else:
        events = Events(pieces, len(used), lambda expression, sides: _convert(expression, mapping | sides))
        mapping |= events.mapping
        expressions = events.equations
    guards = Guards.of(pieces, lambda expression: _convert(expression, mapping), len(used))
    steep = steep_arguments(pieces.field, pieces.variables)
    short = shorteners(steep, lambda expression: _convert(expression, mapping))
    return list(zip(variables, expressions, strict=True)), events, guards, short


def _convert(expression: sympy.Basic, mapping: dict[Any, Any]) -> Any:
    """A SymPy expression as heyoka's, with what heyoka's own conversion refuses or cannot do.

    It refuses exact rationals whose denominator is no power of two. Its series of a power beyond the square divides
    by the base, which may pass zero: whole powers are products of squares.
    """
    mapping = dict(mapping)
    while powers := {part for part in expression.atoms(sympy.Pow) if _is_high(part)}:
        for part in powers:
            if not any(map(_is_high, part.base.atoms(sympy.Pow))):
                symbol = sympy.Dummy()
                mapping[symbol] = _power(_convert(part.base, mapping), int(part.exp))
                expression = expression.xreplace({part: symbol})
    exact = {
        atom: sympy.Float(float(atom))
        for atom in expression.atoms(sympy.Rational, sympy.NumberSymbol)
        if not isinstance(atom, sympy.Integer)
    }
    try:
        return heyoka.from_sympy(expression.xreplace(exact), mapping)
    except TypeError as error:
        raise EngineError(
            f'engine "heyoka" has no way to compute {expression}: {error}; leave name out, or name "scipy"'
        ) from None


def _is_high(power: sympy.Pow) -> bool:
    return bool(power.exp.is_number and power.exp > 2 and power.exp == int(power.exp))


def _power(base: Any, exponent: int) -> Any:
    if exponent == 1:
        return base
    square = _power(base, exponent // 2) ** 2.0
    return square * base if exponent % 2 else square
