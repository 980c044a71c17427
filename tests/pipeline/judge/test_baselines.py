"""Baselines that are rolled out: each is right where its kind of map is the truth."""

import numpy as np
import pytest
from trajstore.pipeline.judge.forecasters.forecaster import Pairs
from trajstore.pipeline.judge.forecasters.registry import BASELINES, USUAL

STEP = 0.1


def pairs(after, dimension=2, rows=500, parameters=None, seed=0):
    """Random states and what a map makes of them."""
    states = np.random.default_rng(seed).uniform(-1, 1, (rows, dimension))
    told = np.empty((rows, 0)) if parameters is None else parameters(rows)
    return Pairs(states, after(states, told), told, STEP)


def fitted(name, after, **options):
    return BASELINES.find(name).fit(pairs(after, **options), pairs(after, seed=1, **options))


def turned(states, _):
    """The harmonic oscillator, one step on."""
    x, v = states.T
    return np.stack([x * np.cos(STEP) + v * np.sin(STEP), v * np.cos(STEP) - x * np.sin(STEP)], axis=1)


def logistic(states, _):
    return 1 - 1.5 * states**2


@pytest.mark.parametrize("name", ["rotation", "linear", "polynomial"])
def test_a_rotation_is_followed_for_ever_by_whatever_can_turn(name):
    history = np.array([[[9.0, 9.0], [1.0, 0.0]], [[9.0, 9.0], [0.0, 0.5]]])
    predicted = fitted(name, turned).go_on(history, 200, np.empty((2, 0)))
    times = STEP * np.arange(1, 201)
    np.testing.assert_allclose(predicted[0], np.stack([np.cos(times), -np.sin(times)], axis=1), atol=1e-9)
    np.testing.assert_allclose(
        predicted[1], 0.5 * np.stack([np.sin(times), np.cos(times)], axis=1), atol=1e-9
    )


def test_a_polynomial_has_the_degree_of_the_truth_and_a_line_cannot_follow():
    polynomial, linear = (fitted(name, logistic, dimension=1) for name in ("polynomial", "linear"))
    assert polynomial.degree >= 2
    start = np.array([[[0.3]]])
    exact = [start[0, 0]]
    for _ in range(10):
        exact.append(logistic(exact[-1], None))
    np.testing.assert_allclose(polynomial.go_on(start, 10, np.empty((1, 0)))[0], exact[1:], atol=1e-6)
    assert np.abs(linear.go_on(start, 10, np.empty((1, 0)))[0] - exact[1:]).max() > 0.1


def test_a_polynomial_knows_the_parameters_that_vary():
    def growth(states, told):
        return states * (1 + STEP * told[:, :1])

    def parameters(rows):
        return np.stack([np.linspace(-1, 1, rows), np.full(rows, 7.0)], axis=1)

    polynomial = fitted("polynomial", growth, parameters=parameters)
    told = np.array([[-0.5, 7.0], [0.5, 7.0]])
    predicted = polynomial.go_on(np.full((2, 1, 2), 0.1), 5, told)
    np.testing.assert_allclose(predicted[:, -1, 0], 0.1 * (1 + STEP * told[:, 0]) ** 5, rtol=1e-9)


def test_what_leaves_all_bounds_is_not_finite_and_no_error():
    doubled = fitted("linear", lambda states, _: 2 * states)
    predicted = doubled.go_on(np.ones((1, 1, 2)), 100, np.empty((1, 0)))
    assert np.isfinite(predicted[0, :5]).all()
    assert np.isnan(predicted[0, -1]).all()


def test_a_rotation_is_for_the_plane_alone():
    assert fitted("rotation", lambda states, _: states, dimension=3) is None


@pytest.mark.parametrize("name", USUAL)
def test_every_baseline_gives_as_many_states_as_are_asked_for(name):
    found = fitted(name, turned).go_on(np.ones((3, 4, 2)), 7, np.empty((3, 0)))
    assert found.shape == (3, 7, 2)
    assert found.dtype == np.float64
