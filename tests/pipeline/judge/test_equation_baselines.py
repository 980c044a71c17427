"""Baselines of other packages: they find the truth where it is of their kind; and what is said without them."""

import sys

import numpy as np
import pytest
from trajstore.data import TrajstoreError
from trajstore.pipeline import EngineSettings, get_system, load_config, make_engine
from trajstore.pipeline.judge.forecasters.examples import Examples, Pairs, Series
from trajstore.pipeline.judge.forecasters.growth import exponents
from trajstore.pipeline.judge.forecasters.registry import BASELINES
from trajstore.pipeline.learn.selection import check_judged_by

NONE = np.empty((0, 0))


def of(states, step=1.0):
    """Of stretches (N, L, D) alone."""
    nothing = np.empty((0, states.shape[2]))
    return Examples(Pairs(nothing, nothing, NONE, step), Series(states))


def mapped(after, starts, length):
    states = [starts]
    for _ in range(length - 1):
        states.append(after(states[-1]))
    return np.stack(states, axis=1)


def lorenz(step, points, rows=4, seed=0):
    system = get_system("lorenz")
    starts = np.random.default_rng(seed).uniform(-8, 8, (rows, 3)) + np.array([0, 0, 25])
    times = step * np.arange(points)
    told = np.tile(system.defaults, (rows, 1))
    starts = make_engine(system, EngineSettings()).solve(starts, told, np.array([0.0, 5.0])).states[:, -1]
    return make_engine(system, EngineSettings()).solve(starts, told, times).states


def damped(seed):
    """A damped and a lasting rotation around a point that is not zero: an affine map in five dimensions."""
    generator = np.random.default_rng(7)
    blocks = np.zeros((5, 5))
    for place, size, angle in ((0, 0.99, 0.3), (2, 1.0, 0.71)):
        cos, sin = size * np.cos(angle), size * np.sin(angle)
        blocks[place : place + 2, place : place + 2] = [[cos, -sin], [sin, cos]]
    blocks[4, 4] = 0.95
    turn = np.linalg.qr(generator.standard_normal((5, 5)))[0]
    matrix, centre = turn @ blocks @ turn.T, 10 * generator.standard_normal(5)
    starts = centre + np.random.default_rng(seed).standard_normal((8, 5))
    return mapped(lambda states: centre + (states - centre) @ matrix.T, starts, 150)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dmd", "koopman"])
def test_a_linear_system_is_rolled_out_exactly(name):
    found = BASELINES.find(name).fit(of(damped(0)), of(damped(1)))
    truth = damped(2)
    predicted = found.go_on(truth[:, :60], 90, np.empty((8, 0)))
    np.testing.assert_allclose(predicted, truth[:, 60:], atol=1e-8 if name == "dmd" else 1e-5)


def test_what_one_component_hides_is_found_in_its_past():
    seen = slice(0, 1)
    found = BASELINES.find("dmd").fit(of(damped(0)[:, :, seen]), of(damped(1)[:, :, seen]))
    truth = damped(2)[:, :, seen]
    assert found.count > 1
    predicted = found.go_on(truth[:, :60], 90, np.empty((8, 0)))
    np.testing.assert_allclose(predicted, truth[:, 60:], atol=1e-5)


def test_a_system_that_is_linear_in_products_is_exact_by_these_alone():
    """x' = .9 x, y' = .8 y + .5 x^2, after Brunton et al. 2016, doi:10.1371/journal.pone.0150171."""

    def after(states):
        x, y = states.T
        return np.stack([0.9 * x, 0.8 * y + 0.5 * x**2], axis=1)

    def rows(seed):
        return mapped(after, np.random.default_rng(seed).uniform(-2, 2, (20, 2)), 30)

    truth = rows(2)
    errors = {}
    for name in ("dmd", "koopman"):
        found = BASELINES.find(name).fit(of(rows(0)), of(rows(1)))
        predicted = found.go_on(truth[:, :5], 20, np.empty((20, 0)))
        errors[name] = np.abs(predicted - truth[:, 5:25]).max()
    assert errors["koopman"] < 1e-6
    assert errors["dmd"] > 0.01


@pytest.mark.parametrize("name", ["dmd", "koopman"])
def test_what_comes_to_rest_has_an_exponent_below_zero_whatever_is_constant(name):
    """x' = 3 + .9 (x - 3), y' = .7 y: the constant that is seen beside lasts for ever."""

    def rows(seed):
        starts = np.random.default_rng(seed).uniform(-2, 2, (10, 2))
        return mapped(lambda states: np.array([0.3, 0.0]) + states * np.array([0.9, 0.7]), starts, 40)

    found = BASELINES.find(name).fit(of(rows(0)), of(rows(1)))
    exponent = exponents(found, rows(2)[:3, :5], np.empty((3, 0)), step=1.0, samples=100)
    np.testing.assert_allclose(exponent, np.log(0.9), atol=1e-6)


@pytest.mark.slow
def test_the_terms_of_lorenz_are_found_and_no_others():
    found = BASELINES.find("sindy").fit(
        of(lorenz(0.002, 2500), 0.002), of(lorenz(0.002, 2500, seed=1), 0.002)
    )
    # 1, x, y, z, then xx, xy, xz, yy, yz, zz; then those of the third degree, if these are tried.
    expected = np.zeros((len(found.coefficients), 3))
    expected[[1, 2], 0] = -10, 10
    expected[[1, 2, 6], 1] = 28, -1, -1
    expected[[3, 5], 2] = -8 / 3, 1
    np.testing.assert_allclose(found.coefficients, expected, atol=1e-4)
    np.testing.assert_array_equal(found.coefficients != 0, expected != 0)


@pytest.mark.slow
def test_a_field_that_was_found_goes_on_like_the_truth():
    step = 0.02
    found = BASELINES.find("sindy").fit(of(lorenz(step, 1000), step), of(lorenz(step, 1000, seed=1), step))
    truth = lorenz(step, 300, seed=2)
    missed = found.go_on(truth[:, :1], 299, np.empty((4, 0))) - truth[:, 1:]
    assert np.isfinite(missed).all()
    error = np.sqrt(np.square(missed / truth.std(axis=(0, 1))).mean(axis=2))
    # Two Lyapunov times at least, from slopes by differences; others have seen five in the middle.
    assert (error[:, : round(2 / 0.906 / step)] < 0.5).all()


@pytest.mark.parametrize("name", ["dmd", "koopman", "sindy"])
def test_what_rests_and_what_is_short_is_no_error(name):
    states = np.zeros((2, 6, 2))
    states[:, :, 0] = np.linspace(1, 2, 6)
    found = BASELINES.find(name).fit(of(states), of(states))
    assert np.isfinite(found.go_on(states[:, :2], 2, np.empty((2, 0)))).all()


@pytest.mark.parametrize(("module", "package"), [("dmd", "pydmd"), ("sindy", "pysindy")])
def test_without_the_package_it_is_said_what_to_install(monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"trajstore.pipeline.judge.forecasters.{module}", raising=False)
    config = load_config("configs/quick.toml", [f"evaluation.baselines=['{module}']"])
    # At once, and before a network is trained that is to stand beside it.
    for attempt in (lambda: BASELINES.find(module), lambda: check_judged_by(config)):
        with pytest.raises(
            TrajstoreError, match=rf"needs? the package {package}.*pip install .*{package}>=.*extra baselines"
        ):
            attempt()
