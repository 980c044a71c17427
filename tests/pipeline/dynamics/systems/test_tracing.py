"""What is traced is what NumPy computes."""

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from trajstore.pipeline.dynamics.systems.expressions import parse, to_text
from trajstore.pipeline.dynamics.systems.tracing import METHODS, UFUNCS, TracingError, expression_of, traced

DOMAIN = {"arcsin": 0.3, "arccos": 0.3}


def value(traced_number, **at) -> float:
    expression = parse(to_text(expression_of(traced_number)), list(at))
    return float(expression.subs({sympy.Symbol(name, real=True): number for name, number in at.items()}))


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("number", [0.7, -0.6, 0.2])
def test_every_known_function_gives_its_own_value(ufunc, number):
    x, y = traced(["x", "y"])
    arguments, numbers = ((x,), (number,)) if ufunc.nin == 1 else ((x, y), (number, 1.3))
    with np.errstate(all="ignore"):
        expected = ufunc(*numbers)
    if np.isfinite(expected):
        assert value(ufunc(*arguments), x=number, y=1.3) == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize("name", METHODS)
def test_functions_of_an_array_of_traced_numbers_work_entry_by_entry(name):
    result = getattr(np, name)(traced(["x", "y"]))
    for entry, number in zip(result, (0.3, 0.4), strict=True):
        assert value(entry, x=0.3, y=0.4) == pytest.approx(float(getattr(np, name)(number)), rel=1e-13)


@pytest.mark.slow
@given(st.lists(st.floats(-2, 2), min_size=4, max_size=4), st.floats(0.1, 3))
def test_a_right_hand_side_of_any_kind_is_what_it_computes(numbers, rate):
    def rhs(X, p, t):
        slopes = np.zeros_like(X)
        slopes[0] = (X[1] - X[-2]) * X[-1] - X[0] + p * np.sin(2 * np.pi * t)
        slopes[1:-1] = (X[2:] - X[:-2]) ** 2 * np.tanh(X[1:-1]) / 3
        slopes[-1] = np.dot(np.array([1.0, 2, 3, 4]), X) + np.abs(X[0]) * np.heaviside(X[1] - 0.123, 0)
        total = np.sum(X**3) - np.float64(2.5) * X[2]
        total *= np.exp(-(X[3] ** 2))
        return np.hstack([slopes, [total, (X[0] > 0.1234) * X[1]]])

    names = ["a", "b", "c", "d"]
    slopes = rhs(traced(names), *traced(["p", "t"]))
    expected = rhs(np.array(numbers), rate, 0.3)
    at = {**dict(zip(names, numbers, strict=True)), "p": rate, "t": 0.3}
    found = [
        float(
            expression_of(slope).subs({sympy.Symbol(name, real=True): number for name, number in at.items()})
        )
        for slope in slopes
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 1.0 if x > 0 else 2.0,
        lambda x: max(0, x),
        lambda x: np.floor(x),
        lambda x: float(x),
        lambda x: expression_of("text"),
        lambda x: expression_of(None),
        lambda x: np.arctan2(x, x),
    ],
)
def test_what_no_expression_can_say_is_an_error(function):
    with pytest.raises(TracingError):
        function(traced(["x"])[0])
