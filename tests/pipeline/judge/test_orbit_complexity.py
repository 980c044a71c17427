"""Orbit complexity against closed forms: noise, monotone runs, the logistic map, and the orbit of a sine."""

from math import factorial, log

import numpy as np
import pytest
from trajstore.pipeline.judge.metrics.metric import Batch, Context
from trajstore.pipeline.judge.metrics.orbit_complexity import (
    OrbitComplexity,
    entropy_and_complexity,
    pattern_counts,
    pattern_delay,
)

# Of a sine, by values a tenth of a period apart: it rises or falls throughout for a fifth of a period each, and in a
# twentieth each of the rest the middle of another pair of values passes a turn.
SINE = (2 * 0.2 * log(5) + 12 * 0.05 * log(20)) / log(120)


def logistic(points):
    """x' = 4 x (1 - x)."""
    values = np.empty(points)
    values[0] = 0.3
    for step in range(points - 1):
        values[step + 1] = 4 * values[step] * (1 - values[step])
    return values


def test_each_pattern_has_a_place_of_its_own():
    from itertools import permutations

    found = [
        int(np.argmax(pattern_counts(np.array(each, dtype=float), 4))) for each in permutations(range(4))
    ]
    assert sorted(found) == list(range(factorial(4)))


def test_white_noise_has_all_patterns_alike():
    noise = np.random.default_rng(0).standard_normal(200_000)
    counts = pattern_counts(noise, 5)
    assert counts.sum() == 200_000 - 4
    entropy, complexity = entropy_and_complexity(counts)
    # What is missing is (N - 1) / 2n, as of every entropy of counts; half as much and more of patterns that overlap.
    assert 1 - entropy < 3 * 119 / (2 * 200_000 * log(120))
    assert 0 <= complexity < 1e-3


@pytest.mark.parametrize("order", [2, 3, 5])
def test_a_monotone_run_and_one_at_rest_have_one_pattern_alone(order):
    for values in (np.arange(100.0), -np.exp(np.arange(100) / 9), np.ones(100)):
        counts = pattern_counts(values, order, delay=3)
        assert np.count_nonzero(counts) == 1
        assert entropy_and_complexity(counts) == (0.0, 0.0)


def test_shares_of_the_logistic_maps_patterns_are_those_of_its_density():
    """By the tent map, to which it is conjugate: 1/3, 1/5, 4/15, 2/15 and 1/15 of an interval; falling twice is
    forbidden.
    """
    counts = pattern_counts(logistic(100_000), 3)
    assert np.count_nonzero(counts == 0) == 1
    assert pattern_counts(np.array([2.0, 1.0, 0.0]), 3)[counts == 0] == 1
    shares = np.sort(counts)[1:] / counts.sum()
    expected = np.array([1, 2, 3, 4, 5]) / 15
    np.testing.assert_allclose(shares, expected, atol=5e-3)
    entropy, _ = entropy_and_complexity(counts)
    assert entropy == pytest.approx(-(expected * np.log(expected)).sum() / log(6), abs=2e-3)
    rising = pattern_counts(logistic(100_000), 2) / (100_000 - 1)
    np.testing.assert_allclose(np.sort(rising), [1 / 3, 2 / 3], atol=5e-3)


def test_many_patterns_of_the_logistic_map_are_forbidden_and_it_is_complex():
    counts = pattern_counts(logistic(100_000), 5)
    assert np.count_nonzero(counts) < 70
    entropy, complexity = entropy_and_complexity(counts)
    assert 0.5 < entropy < 0.75
    # Near the largest that there is at such an entropy.
    assert 0.35 < complexity < 0.55


def test_complexity_is_that_of_two_patterns_by_hand():
    """p = (3/4, 1/4): H = 2 - 3/4 log2 3; from the middle (5/8, 3/8), and the largest divergence from (1, 0)."""

    def h(p):
        return -p * log(p) - (1 - p) * log(1 - p)

    entropy, complexity = entropy_and_complexity(np.array([3, 1]))
    assert entropy == pytest.approx(2 - 0.75 * log(3) / log(2))
    divergence = h(5 / 8) - h(3 / 4) / 2 - log(2) / 2
    assert complexity == pytest.approx(entropy * divergence / (h(3 / 4) - log(2) / 2))


def test_a_sine_has_fourteen_patterns_for_as_long_as_its_turns_lie_in_them():
    counts = pattern_counts(np.sin(2 * np.pi * np.arange(100_000) / 1000.7), 5, 100)
    assert np.count_nonzero(counts) == 14
    assert entropy_and_complexity(counts)[0] == pytest.approx(SINE, abs=1e-3)


def test_five_values_span_two_fifths_of_a_period_however_it_is_sampled():
    for period in (40, 100, 1000):
        delay = pattern_delay(np.sin(2 * np.pi * np.arange(20 * period) / period))
        assert 4 * delay == pytest.approx(0.4 * period, abs=4)
    assert pattern_delay(np.random.default_rng(0).standard_normal(1000)) <= 4
    assert pattern_delay(np.ones(100)) == 1


def judged(true, predicted):
    names = tuple(f"x{number}" for number in range(true.shape[2]))
    metric = OrbitComplexity(Context(names, np.ones(len(names)), np.arange(true.shape[1])))
    for _ in range(2):
        metric.add(Batch(true, predicted))
    return metric.result()


def test_a_run_is_told_beside_its_truth_and_one_that_ends_is_not():
    phase = 2 * np.pi * np.arange(5000) / 100
    true = np.stack([np.sin(phase + shift) for shift in (0.0, 1.0)])[..., None]
    noise = np.random.default_rng(0).standard_normal(true.shape)
    regular, random = judged(true, true), judged(true, noise)
    assert regular["permutation_entropy"] == pytest.approx(SINE, abs=0.02)
    assert random["permutation_entropy"] > 0.98
    assert random["permutation_entropy_std"] < 0.01
    assert random["statistical_complexity"] < 0.05 < regular["statistical_complexity"]
    noise[1, 9] = np.nan
    assert judged(true, noise) == {}
