"""Trivial predictors, fitted from the first state to each later time: what does the task give for nothing?"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np

# More polynomial terms than this are no trivial predictor any longer.
MAX_TERMS = 400

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
        predicted = monomials(first / self.scale, self.degree) @ self.coefficients
        return predicted.reshape(len(first), self.steps, -1)


def monomials(values: np.ndarray, degree: int) -> np.ndarray:
    """All products of up to `degree` components of (N, D), the constant first: (N, C(D + degree, degree))."""
    # Each with the number of its last factor; one of the next degree has one more, which is none before that.
    products = [(0, np.ones(len(values)))]
    columns = [products[0][1]]
    for _ in range(degree):
        products = [
            (number, product * values[:, number])
            for last, product in products
            for number in range(last, values.shape[1])
        ]
        columns += [product for _, product in products]
    return np.stack(columns, axis=1)


def make_baselines(
    first: np.ndarray, targets: np.ndarray, times: np.ndarray, most_terms: int = MAX_TERMS
) -> dict[str, Predictor]:
    """Predictors by name, fitted on the train split.

    first       (N, D) float64, the states that a model sees first
    targets     (N, T, D) float64, what follows, at `times` (T,) after the first
    most_terms  of a polynomial, for each number that it foretells

    zero, persistence, rotation (planar systems: the harmonic oscillator of frequency 1), and polynomials of
    the first state of degree 1, 3, 5 and 7 where the dimension leaves few enough terms.
    """
    steps, dimension = targets.shape[1:]
    predictors: dict[str, Predictor] = {
        "zero": lambda states: np.zeros((len(states), steps, dimension)),
        "persistence": lambda states: np.repeat(states[:, None], steps, axis=1),
    }
    if dimension == 2:
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
