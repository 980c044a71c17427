"""Lyapunov exponents are those that are known, or that follow from the equations."""

import numpy as np
import pytest
from trajstore.data import TrajstoreError
from trajstore.pipeline import Parameter, System, get_system
from trajstore.pipeline.dynamics.lyapunov import Spectrum, most_exponents, spectrum, variational

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "periods", "known"),
    [("lorenz", 1000, (0.906, 0.0, -14.57)), ("roessler", 2000, (0.0714, 0.0, -5.39))],
)
def test_the_spectra_of_the_classics_come_out_within_two_per_cent(name, periods, known):
    found = spectrum(get_system(name), periods=periods)
    np.testing.assert_allclose(found.exponents, known, rtol=0.02, atol=1e-3)
    assert (found.errors < 0.01).all()
    # Kaplan and Yorke: the first two do not shrink, and the third takes up what they grow.
    assert found.dimension == pytest.approx(2 + known[0] / -known[2], abs=2e-3)


def test_the_exponents_of_a_linear_system_are_the_real_parts_of_its_eigenvalues():
    # A spiral with growth 0.3, and a direction that shrinks ten times faster than any single segment could carry.
    equations = {"x": "0.3*x - 2*y", "y": "2*x + 0.3*y + z", "z": "-k*z"}
    system = System(
        "linear", equations, {"k": Parameter(60.0)}, dict.fromkeys("xyz", (-1e-9, 1e-9)), period=np.pi
    )
    found = spectrum(system, rows=4, periods=20, transient=2)
    np.testing.assert_allclose(found.exponents, [0.3, 0.3, -60.0], rtol=1e-6)
    assert spectrum(system, 1, rows=1, periods=20).exponents == pytest.approx(0.3, rel=1e-2)


def test_their_sum_is_the_mean_divergence():
    # Of Lorenz' flow the divergence is constant, -(sigma + 1 + beta).
    found = spectrum(get_system("lorenz"), rows=4, periods=20, transient=5)
    assert found.exponents.sum() == pytest.approx(-(10 + 1 + 8 / 3), rel=1e-9)


def test_a_driven_system_is_followed_in_its_own_time():
    # x' = cos(t) x: what it grows, it shrinks, if time goes on from segment to segment.
    system = System("driven", {"x": "cos(t)*x"}, {}, {"x": (1.0, 2.0)}, period=1.0)
    assert spectrum(system, rows=2, periods=200).exponents == pytest.approx(0.0, abs=2 / 200)


def test_rows_that_leave_for_infinity_are_left_out():
    system = System(
        "two fates", {"x": "x**3 - x", "y": "-2*y"}, {}, {"x": (-1.2, 1.2), "y": (-1.0, 1.0)}, period=1.0
    )
    found = spectrum(system, rows=32, periods=20, transient=20)
    assert 20 <= found.rows < 32
    np.testing.assert_allclose(found.exponents, [-1.0, -2.0], rtol=1e-3)
    with pytest.raises(TrajstoreError, match="no row stays finite"):
        spectrum(System("away", {"x": "x**2"}, {}, {"x": (1.0, 2.0)}, period=1.0))


def test_tangent_vectors_are_small_differences_of_trajectories():
    from trajstore.pipeline import EngineSettings, make_engine

    system = get_system("hyperchaotic-roessler")
    start, small = np.array([-20.0, 0.5, 0.1, 15.0]), 1e-6
    times, parameters = np.array([0.0, 3.0]), np.array([system.defaults] * 8)
    plain = make_engine(system, EngineSettings())
    ends = plain.solve(
        np.concatenate([start + small * np.eye(4), start - small * np.eye(4)]), parameters, times
    )
    packed = np.concatenate([start, np.eye(4).ravel()])[None]
    tangents = make_engine(variational(system, 4), EngineSettings()).solve(packed, parameters[:1], times)
    differences = (ends.states[:4, -1] - ends.states[4:, -1]) / (2 * small)
    np.testing.assert_allclose(tangents.states[0, -1, 4:].reshape(4, 4), differences, rtol=1e-6, atol=1e-6)


def test_what_cannot_be_measured_is_an_error():
    box = {"x": (0.0, 1.0)}
    with pytest.raises(TrajstoreError, match="no period"):
        spectrum(System("s", {"x": "-x"}, {}, box))
    with pytest.raises(TrajstoreError, match="mu have no value"):
        spectrum(System("s", {"x": "-mu*x"}, {"mu": Parameter()}, box, period=1.0))
    with pytest.raises(TrajstoreError, match="expected 1 to 1"):
        spectrum(System("s", {"x": "-x"}, {}, box, period=1.0), 2)
    assert most_exponents(get_system("lorenz-96")) == 8
    with pytest.raises(TrajstoreError, match="partial differential equation"):
        spectrum(get_system("kuramoto-sivashinsky"), 1)


@pytest.mark.parametrize(
    ("exponents", "dimension"),
    [([-1.0, -2.0], 0.0), ([0.0, -1.0], 1.0), ([1.0, 0.0, -4.0], 2.25), ([1.0], None)],
)
def test_the_dimension_follows_from_the_exponents(exponents, dimension):
    found = Spectrum(np.array(exponents), np.zeros(len(exponents)), 1, 1.0)
    assert found.dimension == dimension


def test_jumps_have_no_variational_equations():
    jumps = System("jumps", {"x": "-sign(x) + 0*x"}, {}, {"x": (-1.0, 1.0)}, period=1.0)
    with pytest.raises(TrajstoreError, match="has jumps"):
        spectrum(jumps)
