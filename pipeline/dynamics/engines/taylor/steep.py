"""What keeps heyoka's steps short where a function is so flat that its series does not tell where it is steep.

heyoka takes the length of a step from the last two orders of its series. Those of `tanh(50*sin(t))` are exactly zero
where tanh is 1 to all digits, and those of `erf`, `exp`, `sinh` and `cosh` may be far below rounding where orders
that nobody computes are not: such a step would go over all that follows. But heyoka looks at its events, too, when
it chooses a step. Events that never happen, of (atan(u/SCALE) + 2)/4 for each argument u, have poles where u is
+-i SCALE: no step moves u by much more than a seventh of sqrt(SCALE**2 + u**2), and from a million to 0 it takes some
hundred. Their values are below 1, so that they do not count as large beside states.
"""

from collections.abc import Callable, Iterable
from typing import Any

import heyoka
import sympy

from ..kinks.branches import bounds

# Of rows whose equations have such arguments; of others, REVISION.
REVISION_OF_STEEP = 2
# Series of these functions are good, and shorter, by themselves where arguments, times this, are smaller.
SCALE = 12.0
SATURATED = {sympy.exp: 1, sympy.tanh: 1, sympy.sinh: 1, sympy.cosh: 1, sympy.erf: 3}


def steep_arguments(expressions: Iterable[sympy.Expr], moving: Iterable[sympy.Symbol]) -> list[sympy.Expr]:
    """Arguments that move with these symbols, and may become large, of functions that may be flat; each once.

    Those of erf, which is flat sooner, are three times what they are.
    """
    symbols, found = set(moving), dict[sympy.Expr, None]()
    for expression in expressions:
        for part in sympy.preorder_traversal(expression):
            argument: Any = None
            if part.func in SATURATED:
                inner: Any = part.args[0]
                argument = SATURATED[part.func] * inner
            elif isinstance(part, sympy.Pow) and part.exp.free_symbols & symbols:
                argument = part.exp * sympy.log(part.base) if part.base.is_positive else part.exp
            if argument is not None and argument.free_symbols & symbols and not _is_small(argument):
                found[argument] = None
    return list(found)


def _is_small(argument: sympy.Expr) -> bool:
    low, high = bounds(argument)
    return low >= -SCALE and high <= SCALE


def shorteners(arguments: Iterable[sympy.Expr], convert: Callable[[sympy.Expr], Any]) -> list[Any]:
    """An event for each argument, which never happens."""
    return [
        heyoka.nt_event_batch((heyoka.atan(convert(argument) / SCALE) + 2.0) / 4.0, callback=_never)
        for argument in arguments
    ]


def _never(integrator: Any, time: float, direction: int, lane: int) -> None:
    """What cannot happen."""
