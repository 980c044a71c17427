"""Equations are real wherever they have a value: their derivatives and sizes are, too."""

import numpy as np
import pytest
import sympy
from trajstore.data import Status
from trajstore.pipeline import EngineSettings, Parameter, System, make_engine
from trajstore.pipeline.dynamics.diagnostics import lyapunov_exponents
from trajstore.pipeline.dynamics.systems.real_calculus import absolute, derivative

# Of what SymPy calls complex where it does not know better, although all of these are real for x and y in (.2, .9).
DOUBTFUL = (
    "abs(t**1.5*sin(x))",
    "sign(p**0.5*x - 0.4)*x",
    "abs(sqrt(y) - x)",
    "abs(acos(y)*x**1.5)",
    "sign(x**0.3 - y)*x",
    "abs(log(y)*x)",
    "abs(exp(y**1.5)*x - abs(log(x) + 1))",
    "exp(-abs(atanh(y)*log(x)))**p",
)


def one(text: str) -> System:
    return System(
        "test", {"x": text, "y": "-y/2"}, {"p": Parameter(1.5)}, dict.fromkeys("xy", (0.2, 0.9)), period=1.0
    )


@pytest.mark.parametrize("text", DOUBTFUL)
def test_a_jacobian_is_real_and_what_differences_give(text):
    system = one(text)
    slopes = system.function(list(system.vector_field), "numpy")
    jacobian = system.function(system.jacobian.tolist(), "numpy")
    assert not system.jacobian.has(sympy.re, sympy.im, sympy.arg, sympy.Derivative)
    width = 1e-6
    for state in np.random.default_rng(3).uniform(0.2, 0.9, (20, 2)):
        found = np.array(jacobian(0.7, state, [1.5]), dtype=float)
        for column in range(2):
            ahead, behind = (state + side * width * np.eye(2)[column] for side in (1, -1))
            differences = np.subtract(slopes(0.7, ahead, [1.5]), slopes(0.7, behind, [1.5])) / (2 * width)
            np.testing.assert_allclose(found[:, column], differences, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("text", DOUBTFUL)
def test_stiff_methods_and_exponents_take_such_equations(text):
    system, times = one(text), np.linspace(0.0, 0.5, 6)
    starts, parameters = np.array([[0.5, 0.6], [0.8, 0.3]]), np.full((2, 1), 1.5)
    expected = make_engine(system, EngineSettings(name="scipy")).solve(starts, parameters, times)
    stiff = EngineSettings(name="scipy", method="Radau", tolerance=1e-9)
    found = make_engine(system, stiff).solve(starts, parameters, times)
    assert (found.status == expected.status).all()
    assert (expected.status == Status.OK).all()
    np.testing.assert_allclose(found.states, expected.states, atol=1e-6)
    if system.continuous:
        exponents = lyapunov_exponents(
            system, EngineSettings(), found.states, parameters, times, 0, "train", np.arange(2)
        )
        assert np.isfinite(exponents).all()


def test_the_derivative_of_a_kink_is_0_where_it_is():
    y = sympy.Symbol("y", real=True)
    assert derivative(absolute(sympy.log(y)), y).subs(y, 1) == 0
    assert derivative(sympy.sign(sympy.sqrt(y) - 1), y) == 0


@pytest.mark.slow
def test_the_size_of_a_term_is_real():
    # Seed 8745 of `make properties`: exp(re(t**1.5)), of which no function could be made.
    t = sympy.Symbol("t", real=True)
    assert absolute(sympy.exp(t**1.5)) == sympy.exp(t**1.5)
    system = System("test", {"x": "asin(exp(-t**1.5)) - abs(x)"}, {}, {"x": (-1.0, 1.0)})
    for name in ("auto", "scipy"):
        solution = make_engine(system, EngineSettings(name=name)).solve(
            np.array([[0.5]]), np.empty((1, 0)), np.linspace(0.0, 1.0, 5)
        )
        assert solution.status.tolist() == [Status.OK]
