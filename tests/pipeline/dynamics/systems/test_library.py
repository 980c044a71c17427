"""The library's systems: built when asked for, true to their energies, and solved alike by both engines."""

import subprocess
import sys

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from trajstore.pipeline import EngineSettings, System, make_engine
from trajstore.pipeline.dynamics.systems import LIBRARY
from trajstore.pipeline.dynamics.systems.expressions import parse, to_text

HAMILTONIAN = [name for name in LIBRARY if LIBRARY[name].hamiltonian]


def starts(system: System, rows: int) -> np.ndarray:
    return system.starts_from(np.random.default_rng(0).random((rows, system.start_numbers)))


def parameters(system: System, rows: int) -> np.ndarray:
    return np.tile(np.array(system.defaults), (rows, 1))


@pytest.mark.slow
def test_importing_the_library_builds_no_system():
    code = "from trajstore.pipeline.dynamics.systems import LIBRARY; assert not LIBRARY._built and len(LIBRARY) > 20"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", LIBRARY)
def test_a_system_says_what_it_is_and_reads_back(name):
    system = LIBRARY[name]
    assert system.name == name
    assert system.description.endswith(".")
    assert system.reference
    assert system.period is not None
    assert System.from_dict(system.to_dict()) == system


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY)
def test_the_engines_agree_on_it_over_a_tenth_of_a_period(name):
    system = LIBRARY[name]
    begin = starts(system, 3)
    times = np.linspace(0.0, 0.1 * (system.period or 1.0), 6)
    ours, runge = (
        make_engine(system, EngineSettings(name=engine, tolerance=tolerance)).solve(
            begin, parameters(system, 3), times
        )
        for engine, tolerance in (("auto", None), ("scipy", 1e-12))
    )
    sound = (ours.status == 0) & (runge.status == 0)
    assert sound.sum() >= 2
    scale = 1 + np.abs(ours.states[sound]).max()
    np.testing.assert_allclose(ours.states[sound], runge.states[sound], atol=1e-8 * scale)


@pytest.mark.parametrize("name", HAMILTONIAN)
def test_the_energy_does_not_change_along_the_vector_field(name):
    system = LIBRARY[name]
    gradient = [sympy.diff(system.energy, symbol) for symbol in system.state_symbols]
    change = sum(slope * part for slope, part in zip(gradient, system.vector_field, strict=True))
    size = sum(sympy.Abs(slope * part) for slope, part in zip(gradient, system.vector_field, strict=True))
    both = system.function([change, size], "numpy")
    for state in starts(system, 20):
        value, scale = both(0.0, state, system.defaults)
        assert abs(value) <= 1e-13 * scale


@pytest.mark.parametrize(
    ("name", "state", "slope"),
    [
        # Hamilton's equations by hand.
        ("mass-spring", [0.3, 0.7], [1.4, -0.6]),
        ("pendulum", [np.pi / 2, 0.5], [1.0, -3.0]),
        # Two bodies at distance 2 attract each other with 1/4.
        ("two-body", [1, -1, 0, 0, 0, 0, 0.5, -0.5], [0, 0, 0.5, -0.5, -0.25, 0.25, 0, 0]),
        ("henon-heiles", [0.1, 0.2, 0.3, 0.4], [0.3, 0.4, -0.1 - 2 * 0.02, -0.2 - 0.01 + 0.04]),
        # The fixed point of the wings, at (sqrt(beta(rho - 1)), same, rho - 1).
        ("lorenz", [np.sqrt(72), np.sqrt(72), 27], [0, 0, 0]),
        ("lorenz-96", [8.0] * 40, [0] * 40),
        ("roessler", [1, 2, 3], [-5, 1.4, 0.2 + 3 * (1 - 5.7)]),
        ("lotka-volterra", [1, 1], [0, 0]),
        ("brusselator", [1, 3], [0, 0]),
        ("thomas", [0, 0, 0], [0, 0, 0]),
        ("halvorsen", [1, 1, 1], [-10.4, -10.4, -10.4]),
    ],
)
def test_the_vector_field_is_what_the_paper_says(name, state, slope):
    system = LIBRARY[name]
    field = system.function(list(system.vector_field), "math")(0.0, state, system.defaults)
    np.testing.assert_allclose(field, slope, atol=1e-12)


@pytest.mark.slow
@given(st.floats(-1e6, 1e6), st.integers(-20, 20), st.integers(1, 9))
def test_an_expression_written_as_text_reads_back_with_every_digit(number, top, bottom):
    x = sympy.Symbol("x", real=True)
    expression = (
        sympy.Float(number) * x ** sympy.Rational(top, bottom) + sympy.sqrt(2) * sympy.Abs(x) - sympy.pi
    )
    again = parse(to_text(expression), ["x"])
    at = {x: 1.7}
    assert float(again.subs(at)) == pytest.approx(float(expression.subs(at)), rel=1e-14)
    floats = {float(part) for part in again.atoms(sympy.Float)}
    assert number in floats or -number in floats or number in (0.0, float(int(number)))
