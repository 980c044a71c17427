"""Integrated fields: closed forms, backwards as well, and one that explodes takes no other along."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data.tasks.integrating import integrate


@pytest.mark.slow
@given(
    st.lists(st.floats(-2, 2), min_size=2, max_size=5),
    st.sampled_from([1e-6, 1e-9, 1e-12]),
    st.sampled_from([1.0, -1.0]),
)
def test_turns_are_those_of_the_closed_form(angles, tolerance, way):
    starts = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.arange(1, len(angles) + 1)[:, None]
    times = way * np.linspace(0.3, 6.0, 15)
    found = integrate(lambda x, rows: np.stack([x[:, 1], -x[:, 0]], axis=1), starts, times, tolerance)
    cos, sin = np.cos(times), np.sin(times)
    x, v = starts[:, :1], starts[:, 1:]
    np.testing.assert_allclose(found[..., 0], x * cos + v * sin, atol=1e3 * tolerance)
    np.testing.assert_allclose(found[..., 1], v * cos - x * sin, atol=1e3 * tolerance)


@pytest.mark.slow
def test_an_explosion_ends_its_own_trajectory_alone_and_each_has_its_own_field():
    # x' = a x**2 from x is x / (1 - a x t).
    starts, rates = np.array([[0.5], [2.0], [-1.0], [0.25]]), np.array([1.0, 1.0, 1.0, 2.0])
    times = np.linspace(0.1, 1.5, 15)
    asked: list[int] = []

    def field(states, rows):
        asked.extend(rows)
        return rates[rows, None] * states**2

    found = integrate(field, starts, times, 1e-10)[..., 0]
    with np.errstate(divide="ignore"):
        expected = starts / (1 - rates[:, None] * starts * times)
    for row in (0, 2, 3):
        np.testing.assert_allclose(found[row], expected[row], rtol=1e-8)
    before = times < 0.5
    np.testing.assert_allclose(found[1, times < 0.45], expected[1, times < 0.45], rtol=1e-7)
    assert np.isnan(found[1, ~before][1:]).all()
    assert set(asked) == {0, 1, 2, 3}


def test_a_field_that_is_not_finite_gives_nothing_and_no_starts_give_none():
    lost = integrate(lambda x, rows: np.full_like(x, np.nan), np.ones((2, 3)), np.arange(1.0, 4.0), 1e-9)
    assert lost.shape == (2, 3, 3)
    assert np.isnan(lost).all()
    assert integrate(lambda x, rows: x, np.empty((0, 2)), np.arange(1.0, 3.0), 1e-9).shape == (0, 2, 2)


def test_a_stiff_field_is_given_up_and_not_followed_for_ever():
    calls = 0

    def field(states, rows):
        nonlocal calls
        calls += 1
        return -1e9 * (states - 1.0)

    found = integrate(field, np.zeros((1, 1)), np.array([1.0, 2.0]), 1e-9)
    assert np.isnan(found).all()
    assert calls < 10_000
