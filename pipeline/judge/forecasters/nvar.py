"""Nonlinear vector autoregression: the next state by ridge regression on products of states at a few delays.

Gauthier, Bollt, Griffith and Barbosa 2021, Next generation reservoir computing, doi:10.1038/s41467-021-25801-2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import comb
from typing import Self

import numpy as np

from .choice import best_on
from .examples import Examples
from .first_state import monomials
from .forecaster import Baseline, near

# What is chosen from: how many states, how many steps apart, and the ridge, relative to the features' mean square.
STATES, APART, RIDGES = (2, 4), (1, 2), (1e-10, 1e-8, 1e-6, 1e-4, 1e-2)
# Products of two, where there are few enough; else the regression is linear.
DEGREE, MOST_FEATURES = 2, 600


@dataclass(frozen=True)
class Nvar(Baseline):
    """`delays` (k,) in steps, the longest first; `coefficients` (F, D) of the increments, of standardised states."""

    delays: np.ndarray
    degree: int
    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def fit(cls, train: Examples, validation: Examples) -> Self | None:
        states = train.series.states
        mean, scale = train.series.moments()
        return best_on(validation.series, scale, cls._candidates((states - mean) / scale, mean, scale))

    @classmethod
    def _candidates(cls, states: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Iterator[Self]:
        for count, apart in product(STATES, APART):
            delays = apart * np.arange(count)[::-1]
            if delays[0] + 2 > states.shape[1]:
                continue
            columns = count * states.shape[2]
            degree = DEGREE if comb(columns + DEGREE, DEGREE) <= MOST_FEATURES else 1
            now = np.arange(delays[0], states.shape[1] - 1)
            seen = np.concatenate([states[:, now - delay] for delay in delays], axis=2).reshape(-1, columns)
            features = monomials(seen, degree)
            growth = (states[:, now + 1] - states[:, now]).reshape(-1, states.shape[2])
            gram, moments = features.T @ features, features.T @ growth
            # Relative, so that it means the same for few points and for many.
            unit = np.trace(gram) / len(gram)
            for ridge in RIDGES:
                coefficients = np.linalg.solve(gram + ridge * unit * np.eye(len(gram)), moments)
                yield cls(delays, degree, mean, scale, coefficients)

    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        # A history that is shorter than the delays is taken to have been at rest.
        places = np.clip(history.shape[1] - 1 - np.arange(self.delays[0] + 1)[::-1], 0, None)
        return ((history[:, places] - self.mean) / self.scale,)

    def advance(self, carry: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        (past,) = carry
        seen = past[:, past.shape[1] - 1 - self.delays].reshape(len(past), -1)
        now = past[:, -1] + monomials(seen, self.degree) @ self.coefficients
        return now * self.scale + self.mean, (np.concatenate([past[:, 1:], now[:, None]], axis=1),)

    def keeps(self, states: np.ndarray) -> np.ndarray:
        return near(states, self.mean, self.scale)
