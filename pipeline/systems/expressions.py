"""Equations as text -> SymPy, through a whitelist: text from a stranger is parsed, never run."""

import ast
import math
from collections.abc import Callable, Iterable

import sympy

from ...data.errors import TrajstoreError

# Equations of real systems are far below these; beyond them a text can only be meant to exhaust us.
MAX_LENGTH = 10_000
MAX_DEPTH = 100
MAX_EXPONENT = 64

TIME = "t"
CONSTANTS: dict[str, sympy.Expr] = {"pi": sympy.pi}
FUNCTIONS: dict[str, Callable[..., sympy.Expr]] = {
    name: getattr(sympy, name)
    for name in (
        "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp log sqrt erf".split()  # noqa: SIM905
    )
}
RESERVED = frozenset({TIME, *CONSTANTS, *FUNCTIONS})

_BINARY: dict[type[ast.operator], Callable[[sympy.Expr, sympy.Expr], sympy.Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


class ExpressionError(TrajstoreError):
    """A text that is not an expression of the allowed kind."""


def parse(text: str, names: Iterable[str]) -> sympy.Expr:
    """Parse one expression into SymPy.

    text   numbers, names, + - * / **, unary minus, the functions in FUNCTIONS, pi and the time t
    names  the states and parameters that may occur

    Raises ExpressionError that quotes the part that is not allowed.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expression of {len(text)} characters; the limit is {MAX_LENGTH}")
    if "^" in text:
        raise ExpressionError(f"{text!r}: ^ is no power here; write ** instead")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "too deeply nested"
        raise ExpressionError(f"{text!r:.200} is no expression: {reason}") from None
    symbols = {name: sympy.Symbol(name, real=True) for name in (*names, TIME)}
    expression = _convert(tree, symbols, text, 0)
    if expression.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I):
        raise ExpressionError(f"{text!r}: is not a finite real expression (a division by zero?)")
    return expression


def _convert(node: ast.expr, symbols: dict[str, sympy.Symbol], text: str, depth: int) -> sympy.Expr:
    def convert(child: ast.expr) -> sympy.Expr:
        return _convert(child, symbols, text, depth + 1)

    def refuse(why: str) -> ExpressionError:
        return ExpressionError(f"{text!r:.200}: {ast.unparse(node)!r:.80} {why}")

    if depth > MAX_DEPTH:
        raise ExpressionError(f"{text!r:.200}: nested more than {MAX_DEPTH} deep")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if not abs(value) < 1e308:
                raise refuse("is too large a number")
            return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value)
        case ast.Name(id=name):
            if name in symbols:
                return symbols[name]
            if name in CONSTANTS:
                return CONSTANTS[name]
            raise refuse(f"is unknown; known names are {', '.join([*symbols, *CONSTANTS])}")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -convert(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return convert(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(convert(left), convert(right), refuse)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
            return _BINARY[type(operator)](convert(left), convert(right))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](convert(argument))
        case ast.Call():
            raise refuse(f"is no call allowed here; functions of one argument are {', '.join(FUNCTIONS)}")
        case _:
            raise refuse("is not allowed; numbers, names, + - * / ** and functions are")


def _power(base: sympy.Expr, exponent: sympy.Expr, refuse: Callable[[str], ExpressionError]) -> sympy.Expr:
    if exponent.is_number and not abs(float(exponent)) <= MAX_EXPONENT:
        raise refuse(f"has an exponent beyond {MAX_EXPONENT}")
    if base.is_number and exponent.is_number:
        # In floats: exact powers of exact numbers can grow without bound.
        try:
            value = math.pow(float(base), float(exponent))
        except (OverflowError, ValueError, ZeroDivisionError):
            raise refuse("is no finite real number") from None
        return sympy.Integer(int(value)) if value.is_integer() and abs(value) < 2**53 else sympy.Float(value)
    return base**exponent
