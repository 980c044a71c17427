"""Functions and derivatives of what is real wherever it has a value, which SymPy takes for complex.

Of `abs(exp(g))` it makes `exp(re(g))` where g may be complex, such as a root, and of the derivatives of `abs(g)` and
`sign(g)` expressions that no function can be made of, or that have no value at g = 0.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy

_COMPLEX = (sympy.re, sympy.im, sympy.arg, sympy.atan2, sympy.conjugate)


def of_real(function: Callable[..., Any], argument: Any) -> sympy.Expr:
    """The function of an argument that is real."""
    value = function(argument)
    if not value.has(*_COMPLEX):
        return value
    taken: list[tuple[Any, sympy.Symbol]] = []
    while unsure := next(_unsure(argument), None):
        taken.append((unsure, sympy.Dummy(real=True)))
        argument = argument.xreplace(dict(taken[-1:]))
    value = function(argument)
    for part, symbol in reversed(taken):
        value = value.xreplace({symbol: part})
    return value


def absolute(argument: Any) -> sympy.Expr:
    """|g| of a real g."""
    return of_real(sympy.Abs, argument)


def derivative(expression: Any, symbol: sympy.Symbol) -> Any:
    """By a symbol; of jumps that of their two sides, of kinks 0 where they are."""
    kinked = expression.atoms(sympy.Abs, sympy.sign)
    if all(part.args[0].is_extended_real for part in kinked):
        return sympy.diff(expression, symbol).replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    plain = expression.replace(sympy.Abs, _Size).replace(sympy.sign, _Side)
    return sympy.diff(plain, symbol).replace(_Size, absolute).replace(_Side, sympy.sign)


class _Size(sympy.Function):
    """|g|, by the rules of the reals."""

    is_extended_real = True

    def fdiff(self, argindex: int = 1) -> Any:
        return _Side(self.args[0])


class _Side(sympy.Function):
    """sign(g), by the rules of the reals."""

    is_extended_real = True

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.Integer(0)


def _unsure(expression: sympy.Expr) -> Iterator[Any]:
    """Its innermost parts that may be complex for all that SymPy knows."""
    return (part for part in sympy.postorder_traversal(expression) if not part.is_extended_real)
