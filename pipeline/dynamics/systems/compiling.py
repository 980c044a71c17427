"""Expressions -> Python functions, as long as there are not too many of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sympy

from .effort import TooMuchAlgebraError, charged
from .expressions import ExpressionError

# Of the operations of all expressions times the symbols: SymPy goes through the former for each of the latter.
MOST_WORK = 2_500_000
# Calls of functions for each of them, measured.
CALLS = 4
# Functions that are kept for whoever asks for the same again: to verify or observe a dataset asks for each row.
KEPT = 64


def compiled(
    arguments: tuple[Any, ...], expressions: Any, modules: Any, **options: Any
) -> Callable[..., Any]:
    """A function of these arguments, symbols or sequences of them, that gives the values of (lists of) expressions.

    modules, options  of sympy.lambdify; to "numpy" belongs what SciPy alone has, erf

    Raises TooMuchAlgebraError if that would take too long, ExpressionError if an expression has no value anywhere.
    """
    if any(whole.has(sympy.zoo, sympy.nan) for whole in _flat(expressions)):
        raise ExpressionError(
            "equations or derivatives of theirs that are not finite anywhere; write them otherwise"
        )
    if modules == "numpy" and any(whole.has(sympy.erf) for whole in _flat(expressions)):
        # SciPy takes long to load. What NumPy has, it takes from there.
        modules = "scipy"
    symbols = sum(len(each) if isinstance(each, list | tuple) else 1 for each in arguments)
    work = symbols * sum(1 for whole in _flat(expressions) for _ in sympy.preorder_traversal(whole))
    if work > MOST_WORK:
        raise TooMuchAlgebraError(
            f"equations whose operations, times states and parameters, are {work}: too many to compile; the limit is "
            f"{MOST_WORK}. Leave it to the default engine, or write them in fewer or simpler terms"
        )
    # Also of a function that is kept, so that it does not depend on what came before whether it is too much.
    with charged(CALLS * work):
        if options or not isinstance(modules, str):
            return _made(arguments, expressions, modules, **options)
        return _kept(_Wanted(_key((arguments, expressions)), arguments, expressions), modules)


def _made(arguments: Any, expressions: Any, modules: Any, **options: Any) -> Callable[..., Any]:
    return sympy.lambdify(arguments, expressions, modules=modules, cse=True, dummify=True, **options)


@dataclass(frozen=True)
class _Wanted:
    key: tuple[Any, ...]
    arguments: Any = field(compare=False)
    expressions: Any = field(compare=False)


@lru_cache(maxsize=KEPT)
def _kept(wanted: _Wanted, modules: str) -> Callable[..., Any]:
    return _made(wanted.arguments, wanted.expressions, modules)


def _key(value: Any) -> tuple[Any, ...]:
    """With the types: 0 and 0.0 are equal, a list and a tuple are given back as what they are."""
    nested = isinstance(value, list | tuple)
    return (type(value), *map(_key, value)) if nested else (type(value), value)


def _flat(expressions: Any) -> Iterator[Any]:
    if isinstance(expressions, list | tuple):
        for each in expressions:
            yield from _flat(each)
    elif expressions != 0:
        yield sympy.sympify(expressions)
