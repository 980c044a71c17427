"""A right-hand side in NumPy -> SymPy: call it once, with numbers that write down what is done to them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
from numpy.lib.mixins import NDArrayOperatorsMixin

from .real_calculus import absolute


class TracingError(Exception):
    """A function does what no expression can say, such as to choose by a state's value."""


def _heaviside(x: sympy.Expr, at_zero: sympy.Expr) -> sympy.Expr:
    # The value at the jump itself does not matter to an integral.
    return (1 + sympy.sign(x)) / 2


UFUNCS: dict[np.ufunc, Callable[..., sympy.Expr]] = {
    np.add: lambda a, b: a + b,
    np.subtract: lambda a, b: a - b,
    np.multiply: lambda a, b: a * b,
    np.divide: lambda a, b: a / b,
    np.power: lambda a, b: a**b,
    np.float_power: lambda a, b: a**b,
    np.negative: lambda a: -a,
    np.positive: lambda a: a,
    np.square: lambda a: a**2,
    np.reciprocal: lambda a: 1 / a,
    np.absolute: absolute,
    np.fabs: absolute,
    np.sign: sympy.sign,
    np.sqrt: sympy.sqrt,
    np.exp: sympy.exp,
    np.log: sympy.log,
    np.sin: sympy.sin,
    np.cos: sympy.cos,
    np.tan: sympy.tan,
    np.arcsin: sympy.asin,
    np.arccos: sympy.acos,
    np.arctan: sympy.atan,
    np.sinh: sympy.sinh,
    np.cosh: sympy.cosh,
    np.tanh: sympy.tanh,
    np.heaviside: _heaviside,
    np.greater: lambda a, b: _heaviside(a - b, sympy.Integer(0)),
    np.greater_equal: lambda a, b: _heaviside(a - b, sympy.Integer(1)),
    np.less: lambda a, b: _heaviside(b - a, sympy.Integer(0)),
    np.less_equal: lambda a, b: _heaviside(b - a, sympy.Integer(1)),
    np.minimum: lambda a, b: (a + b - absolute(a - b)) / 2,
    np.maximum: lambda a, b: (a + b + absolute(a - b)) / 2,
}
# NumPy calls these methods on the entries of an array of objects.
METHODS = ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "exp", "log", "sqrt")


class Traced(NDArrayOperatorsMixin):
    """A number that is an expression; NumPy's functions and operators give another one, or an array of them."""

    def __init__(self, expression: sympy.Expr) -> None:
        self.expression = expression

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or ufunc not in UFUNCS:
            raise TracingError(f"numpy.{ufunc.__name__} is not known to tracing")
        arrays = np.broadcast_arrays(*(_as_array(value) for value in inputs))
        results = [
            Traced(UFUNCS[ufunc](*map(expression_of, values)))
            for values in zip(*(a.flat for a in arrays), strict=True)
        ]
        if arrays[0].ndim == 0:
            return results[0]
        out = np.empty(len(results), dtype=object)
        out[:] = results
        return out.reshape(arrays[0].shape)

    def __bool__(self) -> bool:
        raise TracingError("chooses by the value of a state, which an expression cannot")

    def __float__(self) -> float:
        raise TracingError("makes a plain number of a state")


def _method(name: str) -> Callable[[Traced], Any]:
    ufunc = getattr(np, name)
    return lambda self: ufunc(self)


for _name in METHODS:
    setattr(Traced, _name, _method(_name))


def _as_array(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    array = np.empty((), dtype=object)
    array[()] = value
    return array


def expression_of(value: Any) -> sympy.Expr:
    """The expression of a Traced, or of a plain number. Raises TracingError if it is neither."""
    if isinstance(value, Traced):
        return value.expression
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return expression_of(value.item())
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TracingError(f"{value!r:.60} is no number")
    number = float(value)
    return sympy.Integer(int(number)) if number.is_integer() and abs(number) < 2**53 else sympy.Float(number)


def traced(names: list[str]) -> np.ndarray:
    """An array of Traced symbols of these names, (len(names),) objects."""
    symbols = np.empty(len(names), dtype=object)
    symbols[:] = [Traced(sympy.Symbol(name, real=True)) for name in names]
    return symbols
