"""Functions that are flat where a step begins, and steep where it goes: no step goes over what follows."""

import numpy as np
import pytest
import sympy
from numpy.polynomial import legendre
from scipy.special import erf
from trajstore.pipeline import EngineSettings, System, make_engine
from trajstore.pipeline.dynamics.engines.taylor.steep import steep_arguments
from trajstore.pipeline.dynamics.systems.expressions import parse

TIMES = np.linspace(0.0, 7.0, 15)
# name -> text, and the same of arrays
FLAT = {
    "a smooth square wave": ("tanh(50*sin(t))", lambda t: np.tanh(50 * np.sin(t))),
    "of the error function": ("erf(10*sin(2*t + 0.1))", lambda t: erf(10 * np.sin(2 * t + 0.1))),
    "a train of pulses": ("exp(-1000*sin(t)**2)", lambda t: np.exp(-1000 * np.sin(t) ** 2)),
    "of powers": ("2**(-1000*sin(t)**2)", lambda t: 2.0 ** (-1000 * np.sin(t) ** 2)),
    "a switch": ("sin(t) + tanh(500*(t - 3.3))", lambda t: np.sin(t) + np.tanh(500 * (t - 3.3))),
    "a pulse": ("cos(t) + exp(-5000*(t - 3.3)**2)", lambda t: np.cos(t) + np.exp(-5000 * (t - 3.3) ** 2)),
    "a large pulse": ("1e20*exp(-3000*(t - 2.2)**2)", lambda t: 1e20 * np.exp(-3000 * (t - 2.2) ** 2)),
    "a bump": ("sin(t) + 1/cosh(100*(t - 3))", lambda t: np.sin(t) + 1 / np.cosh(100 * (t - 3))),
    "one in the other": ("tanh(3*sinh(3*sin(t)))", lambda t: np.tanh(3 * np.sinh(3 * np.sin(t)))),
    "long gone": ("sin(t) + exp(-1e4*t)", lambda t: np.sin(t) + np.exp(-1e4 * t)),
}


def integral(function, end, panels=400_000):
    """Of a function of arrays from 0 on, in panels that see all of these."""
    places, weights = legendre.leggauss(4)
    width = end / panels
    return width / 2 * (function(width * (np.arange(panels)[:, None] + (places + 1) / 2)) @ weights).sum()


@pytest.mark.slow
@pytest.mark.parametrize("by", ["t", "s"])
@pytest.mark.parametrize("case", FLAT)
def test_no_step_goes_over_what_is_flat_where_it_begins(case, by):
    text, function = FLAT[case]
    equations = {"x": text} if by == "t" else {"x": text.replace("(t", "(s").replace("*t", "*s"), "s": "1"}
    system = System("s", equations, {}, dict.fromkeys(equations, (-1.0, 1.0)))
    engine = make_engine(system, EngineSettings(name="heyoka"))
    found = engine.solve(np.zeros((1, len(equations))), np.zeros((1, 0)), TIMES)
    assert not found.status.any()
    expected = integral(function, TIMES[-1])
    assert found.states[0, -1, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("text", "revision"), [("tanh(50*sin(x))", 2), ("exp(-x)", 2), ("x**3 - sin(x)", 1)])
def test_rows_that_may_come_out_otherwise_and_no_others_are_of_another_revision(text, revision):
    engine = make_engine(System("s", {"x": text}, {}, {"x": (-1.0, 1.0)}), EngineSettings(name="heyoka"))
    assert engine.describe()["revision"] == revision


def test_a_state_comes_to_rest_beyond_what_is_flat():
    system = System("s", {"x": "erf(10*sin(5*x)) + 0.1"}, {}, {"x": (-1.0, 1.0)})
    found = make_engine(system, EngineSettings(name="heyoka")).solve(
        np.array([[0.01], [0.3]]), np.zeros((2, 0)), np.linspace(0.0, 5.0, 11)
    )
    assert not found.status.any()
    x = found.states[:, -1, 0]
    np.testing.assert_allclose(erf(10 * np.sin(5 * x)), -0.1, rtol=1e-12)
    assert np.abs(x - np.pi / 5).max() < 0.1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tanh(sin(x))", []),
        ("exp(-x**2)", ["-x**2"]),
        ("erf(x)*tanh(10*cos(x))", ["3*x"]),
        ("2**x + x**3", ["x*log(2)"]),
        ("p**x + exp(p)", ["x"]),
    ],
)
def test_arguments_that_stay_small_or_still_are_left_alone(text, expected):
    found = steep_arguments([parse(text, ["x", "p"])], [sympy.Symbol("x", real=True)])
    assert list(map(str, found)) == expected


def test_rows_whose_own_series_are_shorter_keep_their_bits(monkeypatch):
    """An event takes part in the choice of a step; where it says less than the equations, it changes nothing."""
    equations = {"x": "y", "y": "-tanh(3*x) - 0.1*sinh(y)"}
    system = System("s", equations, {}, dict.fromkeys(equations, (-1.0, 1.0)))
    starts = np.random.default_rng(0).uniform(-1.5, 1.5, (9, 2))
    watched = make_engine(system, EngineSettings(name="heyoka")).solve(starts, np.zeros((9, 0)), TIMES)
    monkeypatch.setattr("trajstore.pipeline.dynamics.engines.taylor.equations.steep_arguments", lambda *_: [])
    free = make_engine(system, EngineSettings(name="heyoka")).solve(starts, np.zeros((9, 0)), TIMES)
    np.testing.assert_array_equal(watched.states, free.states)
