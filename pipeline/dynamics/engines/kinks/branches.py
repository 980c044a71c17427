"""Where equations are not analytic: the arguments of roots, logarithms, inverse functions and poles.

Each such place is a `Branch`: an argument g, and what happens where g is zero. An argument that is away from zero
whatever its symbols are, as those of `sqrt(1 + x**2)` and `log(2 + sin(x))`, is left out; intervals prove it.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import sympy

# An interval so near to zero is taken to reach it: its bounds are rounded.
CLEAR = 1e-9

Interval = tuple[float, float]
EVERYTHING: Interval = (-math.inf, math.inf)


class Kind(Enum):
    """What a function does where the argument of a branch is zero.

    ROOT  it is finite, and there is none beyond, of negative arguments
    POWER  as ROOT, a pole, or nothing: its exponent, which is no number or a whole float, says which
    POLE  it has no bound
    KINK  it bends or jumps, and goes on
    """

    ROOT = "root"
    POWER = "power"
    POLE = "pole"
    KINK = "kink"


@dataclass(frozen=True)
class Branch:
    """A place where equations are not analytic: `argument` is zero there.

    exponent  of kind POWER
    inside    is the function an argument of another one, so that the pole of this may not be one of the equations?
    """

    argument: sympy.Expr
    kind: Kind
    exponent: sympy.Expr | None = None
    inside: bool = False


def branches(expressions: Iterable[sympy.Expr], moving: Iterable[sympy.Symbol]) -> list[Branch]:
    """The branches of expressions whose arguments move with these symbols, and may come to zero; each once."""
    symbols = set(moving)
    found: dict[tuple[sympy.Expr, Kind, sympy.Expr | None], Branch] = {}
    for expression in expressions:
        for part, inside in _parts(expression, False):
            for argument, kind, exponent in _of(part):
                if not argument.free_symbols & symbols or _is_clear(argument):
                    continue
                key = argument, kind, exponent
                within = inside or (key in found and found[key].inside)
                found[key] = Branch(argument, kind, exponent, within)
    return list(found.values())


def _parts(expression: sympy.Basic, inside: bool) -> Iterator[tuple[sympy.Basic, bool]]:
    """An expression and all that it is made of, with whether more than sums and products are around it."""
    waiting = [(expression, inside)]
    while waiting:
        part, within = waiting.pop()
        yield part, within
        deeper = within or not isinstance(part, sympy.Add | sympy.Mul)
        waiting.extend((argument, deeper) for argument in part.args)


def _of(part: sympy.Basic) -> list[tuple[sympy.Expr, Kind, sympy.Expr | None]]:
    if isinstance(part, sympy.Pow):
        base, exponent = part.base, part.exp
        # Of a float that is whole a solver may still make a root, as of 3.0; squares are squares to all.
        plain = exponent.is_integer or exponent in (1.0, 2.0)
        if base.is_number or (plain and exponent.is_nonnegative):
            return []
        if not exponent.is_number or (_is_whole(exponent) and exponent > 0):
            return [(base, Kind.POWER, exponent)]
        return [(base, Kind.POLE if exponent < 0 else Kind.ROOT, None)]
    if not isinstance(part, sympy.Function):
        return []
    inner: Any = part.args[0]
    match part:
        case sympy.Abs() | sympy.sign():
            arguments, kind = [inner], Kind.KINK
        case sympy.log():
            arguments, kind = [inner], Kind.POLE
        case sympy.tan():
            arguments, kind = [sympy.cos(inner)], Kind.POLE
        case sympy.asin() | sympy.acos():
            arguments, kind = [1 - inner, 1 + inner], Kind.ROOT
        case sympy.atanh():
            arguments, kind = [1 - inner, 1 + inner], Kind.POLE
        case sympy.acosh():
            arguments, kind = [inner - 1], Kind.ROOT
        case _:
            return []
    return [(argument, kind, None) for argument in arguments]


def _is_whole(exponent: sympy.Expr) -> bool:
    return bool(exponent.is_number and float(exponent).is_integer())


def _is_clear(argument: sympy.Expr) -> bool:
    low, high = bounds(argument)
    return low > CLEAR or high < -CLEAR


def bounds(expression: sympy.Basic) -> Interval:
    """An interval that holds the values of an expression, whatever its symbols are."""
    if expression.is_number:
        value = float(sympy.N(expression))
        return value, value
    parts = [bounds(part) for part in expression.args]
    if any(math.isnan(end) for part in parts for end in part):
        return EVERYTHING
    match expression:
        case sympy.Add():
            return sum(low for low, _ in parts), sum(high for _, high in parts)
        case sympy.Mul():
            low, high = 1.0, 1.0
            for part in parts:
                ends = [_product(one, other) for one in (low, high) for other in part]
                low, high = min(ends), max(ends)
            return low, high
        case sympy.Pow():
            return _power(parts[0], expression.exp)
        case sympy.cos():
            return _cos(*parts[0])
        case sympy.sin() | sympy.sign():
            return -1.0, 1.0
        case sympy.Abs():
            low, high = parts[0]
            return max(0.0, low, -high), max(abs(low), abs(high))
        case sympy.cosh():
            low, high = parts[0]
            return max(1.0, _cosh(max(0.0, low, -high))), max(_cosh(low), _cosh(high))
    return _of_monotonic(expression, parts)


_MONOTONIC = {
    sympy.exp: (math.exp, -math.inf, math.inf, 0.0, math.inf),
    sympy.tanh: (math.tanh, -math.inf, math.inf, -1.0, 1.0),
    sympy.erf: (math.erf, -math.inf, math.inf, -1.0, 1.0),
    sympy.atan: (math.atan, -math.inf, math.inf, -math.pi / 2, math.pi / 2),
    sympy.sinh: (math.sinh, -math.inf, math.inf, -math.inf, math.inf),
    sympy.asinh: (math.asinh, -math.inf, math.inf, -math.inf, math.inf),
    sympy.asin: (math.asin, -1.0, 1.0, -math.pi / 2, math.pi / 2),
    sympy.log: (math.log, 0.0, math.inf, -math.inf, math.inf),
    sympy.acosh: (math.acosh, 1.0, math.inf, 0.0, math.inf),
}
"""Functions that grow: function, begin and end of their domain, and their values there."""


def _of_monotonic(expression: sympy.Basic, parts: list[Interval]) -> Interval:
    if isinstance(expression, sympy.acos):
        return 0.0, math.pi
    known = _MONOTONIC.get(expression.func)
    if known is None:
        return EVERYTHING
    function, begin, end, least, most = known
    values = []
    for value in parts[0]:
        try:
            values.append(least if value <= begin else most if value >= end else function(value))
        except (OverflowError, ValueError):
            values.append(least if value < 0 else most)
    return values[0], values[1]


def _product(one: float, other: float) -> float:
    # Nothing times what has no bound is nothing, of intervals.
    return 0.0 if one == 0 or other == 0 else one * other


def _cos(low: float, high: float) -> Interval:
    if low < -math.pi or high > math.pi:
        return -1.0, 1.0
    nearest = max(0.0, low, -high)
    return math.cos(max(abs(low), abs(high))), math.cos(nearest)


def _cosh(value: float) -> float:
    return math.cosh(value) if abs(value) < 700 else math.inf


def _power(base: Interval, exponent: sympy.Expr) -> Interval:
    low, high = base
    if not exponent.is_number:
        return (0.0, math.inf) if low >= 0 else EVERYTHING
    number = float(exponent)
    if number < 0:
        if low <= 0 <= high:
            return EVERYTHING if number % 2 == 1 else (0.0, math.inf)
        low, high = _power(base, -exponent)
        ends = _inverse(low), _inverse(high)
        return min(ends), max(ends)
    if not number.is_integer():
        return _raised(max(low, 0.0), number), _raised(max(high, 0.0), number)
    if number % 2:
        return _raised(low, number), _raised(high, number)
    ends = _raised(abs(low), number), _raised(abs(high), number)
    return (0.0 if low <= 0 <= high else min(ends)), max(ends)


def _inverse(value: float) -> float:
    return math.inf if value == 0 else 1 / value


def _raised(value: float, exponent: float) -> float:
    try:
        return math.copysign(abs(value) ** exponent, value)
    except OverflowError:
        return math.copysign(math.inf, value)
