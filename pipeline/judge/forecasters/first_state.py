"""Trivial predictors, fitted from the first state to each later time: what does the task give for nothing?"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb

import numpy as np

# More polynomial terms than this are no trivial predictor any longer.
MAX_TERMS = 400
TERMS_AT_ONCE = 1 << 20

Predictor = Callable[[np.ndarray], np.ndarray]
"""First states (N, D) -> predictions (N, T, D)."""


@dataclass(frozen=True)
class Polynomial:
    """Least squares on all monomials up to a degree, an own fit for every time and component."""

    degree: int
    scale: np.ndarray
    coefficients: np.ndarray
    steps: int

    @classmethod
    def fit(cls, first: np.ndarray, targets: np.ndarray, degree: int) -> "Polynomial":
        """From first states (N, D) and targets (N, T, D)."""
        scale = np.abs(first).max(axis=0)
        scale[scale == 0] = 1.0
        features = monomials(first / scale, degree)
        coefficients = np.linalg.lstsq(features, targets.reshape(len(targets), -1), rcond=None)[0]
        return cls(degree, scale, coefficients, targets.shape[1])

    def __call__(self, first: np.ndarray) -> np.ndarray:
        # Terms are many times as large as states: some states at once.
        size = max(1, TERMS_AT_ONCE // len(self.coefficients))
        predicted = [
            monomials(first[at : at + size] / self.scale, self.degree) @ self.coefficients
            for at in range(0, len(first), size)
        ]
        return np.concatenate(predicted).reshape(len(first), self.steps, -1)


def monomials(values: np.ndarray, degree: int) -> np.ndarray:
    """All products of up to `degree` components of (N, D), the constant first: (N, C(D + degree, degree))."""
    parts = [np.ones((len(values), 1))]
    for parents, last in _products(values.shape[1], degree):
        parts.append(parts[-1][:, parents] * values[:, last])
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=64)
def _products(size: int, degree: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each degree, which product of the degree below and which component make each product."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    below: dict[tuple[int, ...], int] = {(): 0}
    for total in range(1, degree + 1):
        chosen = list(combinations_with_replacement(range(size), total))
        parents = np.array([below[each[:-1]] for each in chosen])
        found.append((parents, np.array([each[-1] for each in chosen])))
        below = {each: number for number, each in enumerate(chosen)}
    return found


def make_baselines(
    first: np.ndarray,
    targets: np.ndarray,
    times: np.ndarray,
    most_terms: int = MAX_TERMS,
    *,
    of_states: bool = True,
) -> dict[str, Predictor]:
    """Predictors by name, fitted on the train split.

    first       (N, D) float64, the states that a model sees first
    targets     (N, T, D') float64, what follows, at `times` (T,) after the first
    most_terms  of a polynomial, for each number that it foretells
    of_states   whether the targets are states like the first ones, so that these may simply last, or turn

    zero; persistence, and rotation (planar systems: the harmonic oscillator of frequency 1), or the mean, where
    nothing can last; and polynomials of the first state of degree 1, 3, 5 and 7 where the dimension leaves few
    enough terms.
    """
    steps, told = targets.shape[1:]
    dimension = first.shape[1]
    predictors: dict[str, Predictor] = {"zero": lambda states: np.zeros((len(states), steps, told))}
    if of_states:
        predictors["persistence"] = lambda states: np.repeat(states[:, None], steps, axis=1)
    else:
        mean = targets.mean(axis=0)
        predictors["mean"] = lambda states: np.repeat(mean[None], len(states), axis=0)
    if of_states and dimension == 2:
        predictors["rotation"] = lambda states: rotate(states, times)
    for name, degree in (("linear", 1), ("cubic", 3), ("quintic", 5), ("degree-seven", 7)):
        if comb(dimension + degree, degree) <= min(MAX_TERMS, most_terms, len(first)):
            predictors[name] = Polynomial.fit(first, targets, degree)
    return predictors


def rotate(states: np.ndarray, times: np.ndarray) -> np.ndarray:
    """States (N, T, 2) at these times after (N, 2), turned with frequency 1."""
    cos, sin = np.cos(times), np.sin(times)
    x, v = states[:, :1], states[:, 1:]
    return np.stack([x * cos + v * sin, v * cos - x * sin], axis=-1)
