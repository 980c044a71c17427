"""The right-hand side for solvers that look a little beyond a root's end: there it goes on as it ended.

A stage of a Runge-Kutta step may lie where `sqrt(1 - x**2)` has no value though the solution never does. With what is
negative by an error taken for zero, such a step is as good as its error says; whether the solution itself left the
domain is judged afterwards.
"""

import math
from collections.abc import Callable
from typing import Any

import sympy
from sympy.printing.pycode import PythonCodePrinter

from ...systems import System
from ...systems.compiling import compiled


def clamped(system: System, expressions: Any) -> Callable[..., Any]:
    """A Python function (t, x, p) of expressions, of one state at a time; x and p are sequences."""
    arguments = (system.time_symbol, system.state_symbols, system.parameter_symbols)
    printer = _Printer({"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True})
    return compiled(arguments, expressions, [_FUNCTIONS, "math"], printer=printer)


class _Printer(PythonCodePrinter):
    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:  # noqa: N802
        base, exponent = expr.as_base_exp()
        plain = exponent.is_number and (
            exponent < 0 or exponent == sympy.S.Half or float(exponent).is_integer()
        )
        if plain or base.is_number:
            return super()._print_Pow(expr, rational=rational)
        return f"clamped_power({self._print(base)}, {self._print(exponent)})"


def _power(base: float, exponent: float) -> float:
    if base < 0 and exponent > 0 and not float(exponent).is_integer():
        return 0.0
    return base**exponent


def _within(low: float, value: float, high: float) -> float:
    # What is no number stays none.
    return low if value < low else high if value > high else value


_FUNCTIONS = {
    "sqrt": lambda value: math.sqrt(_within(0.0, value, math.inf)),
    "asin": lambda value: math.asin(_within(-1.0, value, 1.0)),
    "acos": lambda value: math.acos(_within(-1.0, value, 1.0)),
    "acosh": lambda value: math.acosh(_within(1.0, value, math.inf)),
    "clamped_power": _power,
}
