"""Equations as text -> SymPy, through a whitelist: text from a stranger is parsed, never run."""

import ast
import math
from collections.abc import Callable, Iterable, Iterator

import sympy
from sympy.printing.str import StrPrinter

from ....data.base.errors import TrajstoreError
from ....data.shard.schema import DELAYED
from .real_calculus import of_real

# Equations of real systems are far below these; beyond them a text can only be meant to exhaust us.
MAX_LENGTH = 10_000
MAX_DEPTH = 60
MAX_CALL_DEPTH = 55
# Of a power, and of the product of the exponents where powers are nested.
MAX_EXPONENT = 64
# What a power counts whose exponent is no number.
SYMBOLIC_EXPONENT = 4
LARGEST = 1e308
# Above this, doubles no longer tell neighbouring integers apart.
LARGEST_INTEGER = 2**53

TIME = "t"
CONSTANTS: dict[str, sympy.Expr] = {"pi": sympy.pi}
FUNCTIONS: dict[str, Callable[..., sympy.Expr]] = {
    name: getattr(sympy, name)
    for name in (
        "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp log sqrt erf sign".split()  # noqa: SIM905
    )
} | {"abs": sympy.Abs}
RESERVED = frozenset({TIME, *CONSTANTS, *FUNCTIONS})


class ExpressionError(TrajstoreError):
    """A text that is not an expression of the allowed kind."""


def parse(text: str, names: Iterable[str], delayable: Iterable[str] = ()) -> sympy.Expr:
    """Parse one expression into SymPy.

    text       numbers, names, + - * / **, unary minus, the functions in FUNCTIONS, pi and the time t
    names      the states and parameters that may occur
    delayable  those of the names that `delayed(state, delay)` may have first; the delay is another of the names, or
               a number above 0. It becomes a symbol that is called like its text, "delayed(x, tau)"

    Raises ExpressionError that quotes the part that is not allowed.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expression of {len(text)} characters; the limit is {MAX_LENGTH}")
    if "^" in text:
        raise ExpressionError(f"{text!r:.200}: ^ is no power here; write ** instead")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "too deeply nested, or no text"
        raise ExpressionError(f"{text!r:.200} is no expression: {reason}") from None
    expression = _Reader(text, names, delayable).read(tree, 0, 0)[0]
    too_large = [atom for atom in expression.atoms(sympy.Number) if not _is_double(atom)]
    if too_large or expression.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
        raise ExpressionError(f"{text!r:.200}: is not a finite real expression in double precision")
    return expression


class _Printer(StrPrinter):
    """SymPy's own text, but with every digit of a float and our names of functions."""

    def _print_Float(self, expr: sympy.Float) -> str:  # noqa: N802
        return repr(float(expr))

    def _print_Abs(self, expr: sympy.Abs) -> str:  # noqa: N802
        return f"abs({self._print(expr.args[0])})"


def to_text(expression: sympy.Expr) -> str:
    """An expression as `parse` reads it."""
    return _Printer().doprint(expression)


class _Reader:
    """Walks the tree of one text. Each part is read into (expression, product of its nested exponents)."""

    def __init__(self, text: str, names: Iterable[str], delayable: Iterable[str]) -> None:
        self._text = text
        self._delayable = frozenset(delayable)
        self._symbols = {name: sympy.Symbol(name, real=True) for name in (*names, TIME)}

    def read(self, node: ast.expr, depth: int, calls: int) -> tuple[sympy.Expr, float]:
        if depth > MAX_DEPTH or calls > MAX_CALL_DEPTH:
            raise ExpressionError(f"{self._text!r:.200}: nested too deeply")
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._number(value, node), 1.0
            case ast.Name(id=name):
                return self._name(name, node), 1.0
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as operator, operand=operand):
                expression, power = self.read(operand, depth + 1, calls)
                return -expression if isinstance(operator, ast.USub) else expression, power
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                parts = [(self.read(term, depth + 1, calls), sign) for term, sign in _terms(node)]
                return sympy.Add(*(sign * part for (part, _), sign in parts)), max(p for (_, p), _ in parts)
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as operator, right=right):
                first, one = self.read(left, depth + 1, calls)
                second, other = self.read(right, depth + 1, calls)
                divides = isinstance(operator, ast.Div)
                if divides and second.is_zero:
                    raise self._refusal(node, "divides by zero")
                return first / second if divides else first * second, max(one, other)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(
                    self.read(left, depth + 1, calls), self.read(right, depth + 1, calls), node
                )
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
                expression, power = self.read(argument, depth + 1, calls + 1)
                return self._real(of_real(FUNCTIONS[name], expression), node), power
            case ast.Call(func=ast.Name(id=name), args=arguments) if name == DELAYED and self._delayable:
                return self._delayed(arguments, node), 1.0
            case ast.Call():
                functions = ", ".join(FUNCTIONS)
                raise self._refusal(
                    node, f"is no call allowed here; functions of one argument are {functions}"
                )
            case _:
                raise self._refusal(node, "is not allowed; numbers, names, + - * / ** and functions are")

    def _number(self, value: int | float, node: ast.expr) -> sympy.Expr:
        if not abs(value) < LARGEST:
            raise self._refusal(node, "is too large a number")
        exact = isinstance(value, int) and abs(value) <= LARGEST_INTEGER
        return sympy.Integer(value) if exact else sympy.Float(float(value))

    def _name(self, name: str, node: ast.expr) -> sympy.Expr:
        known: dict[str, sympy.Expr] = {**self._symbols, **CONSTANTS}
        if name not in known:
            raise self._refusal(node, f"is unknown; known names are {', '.join(known)}")
        return known[name]

    def _delayed(self, arguments: list[ast.expr], node: ast.Call) -> sympy.Expr:
        match arguments:
            case [ast.Name(id=state), ast.Name(id=delay)] if (
                state in self._delayable and delay in self._symbols and delay not in {*self._delayable, TIME}
            ):
                text = delay
            case [ast.Name(id=state), ast.Constant(value=int() | float() as number)] if (
                state in self._delayable and not isinstance(number, bool) and 0 < number < LARGEST
            ):
                text = repr(float(number))
            case _:
                states = ", ".join(sorted(self._delayable))
                raise self._refusal(
                    node,
                    f"is no delayed state; expected {DELAYED}(STATE, DELAY), with one of the states {states} and a "
                    "delay that is a parameter or a number above 0",
                )
        if node.keywords:
            raise self._refusal(node, "takes no names of arguments")
        return sympy.Symbol(f"{DELAYED}({state}, {text})", real=True)

    def _power(
        self, base: tuple[sympy.Expr, float], exponent: tuple[sympy.Expr, float], node: ast.expr
    ) -> tuple[sympy.Expr, float]:
        number = self._real(exponent[0], node)
        factor = abs(float(number)) if number.is_number else SYMBOLIC_EXPONENT
        power = max(1.0, factor) * base[1] * exponent[1]
        if not power <= MAX_EXPONENT:
            raise self._refusal(node, f"has an exponent beyond {MAX_EXPONENT}")
        if not (base[0].is_number and number.is_number):
            return base[0] ** number, power
        # In floats: exact powers of exact numbers can grow without bound.
        try:
            value = math.pow(float(self._real(base[0], node)), float(number))
        except (OverflowError, ValueError):
            raise self._refusal(node, "is no finite real number") from None
        return self._number(int(value) if value.is_integer() else value, node), power

    def _real(self, expression: sympy.Expr, node: ast.expr) -> sympy.Expr:
        """The same expression; refused if it is a constant that is no finite real number."""
        if expression.is_number:
            value = complex(expression)
            if value.imag or not math.isfinite(value.real):
                raise self._refusal(node, "is no finite real number")
        return expression

    def _refusal(self, node: ast.expr, why: str) -> ExpressionError:
        return ExpressionError(f"{self._text!r:.200}: {ast.unparse(node)!r:.80} {why}")


def _terms(node: ast.expr) -> Iterator[tuple[ast.expr, int]]:
    """The terms of a sum with their signs; a long sum is deep only to the left, so it is not recursed into."""
    right = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        right.append((node.right, 1 if isinstance(node.op, ast.Add) else -1))
        node = node.left
    yield node, 1
    yield from reversed(right)


def _is_double(number: sympy.Number) -> bool:
    parts = (number.p, number.q) if isinstance(number, sympy.Rational) else (number,)
    return all(abs(part) < LARGEST for part in parts)
