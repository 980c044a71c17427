"""Nonlinear vector autoregression: the next state by ridge regression on products of states at a few delays.

Gauthier, Bollt, Griffith and Barbosa 2021, Next generation reservoir computing, doi:10.1038/s41467-021-25801-2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import comb
from typing import Self

import numpy as np

from .first_state import monomials
from .standardised import Standardised

# What is chosen from: how many states, how many steps apart, products of how many of them, and the ridge, relative to
# the features' mean square.
STATES, APART, DEGREES = (2, 4, 8), (1, 2), (1, 2, 3, 4)
RIDGES = (1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)
# More would take minutes; only what is linear in two states may have them.
MOST_FEATURES = 600


@dataclass(frozen=True)
class Nvar(Standardised):
    """`delays` (k,) in steps, the longest first; `coefficients` (F, D) of the increments, of standardised states."""

    delays: np.ndarray
    degree: int
    coefficients: np.ndarray

    @classmethod
    def candidates(cls, states: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Iterator[Self]:
        for count, apart, degree in product(STATES, APART, DEGREES):
            delays = apart * np.arange(count)[::-1]
            columns = count * states.shape[2]
            size = comb(columns + degree, degree)
            if delays[0] + 2 > states.shape[1] or (size > MOST_FEATURES and (count, degree) != (2, 1)):
                continue
            now = np.arange(delays[0], states.shape[1] - 1)
            seen = np.concatenate([states[:, now - delay] for delay in delays], axis=2).reshape(-1, columns)
            growth = (states[:, now + 1] - states[:, now]).reshape(-1, states.shape[2])
            # Triangular, and not by the normal equations, which see nothing below 1e-8 of what is largest.
            reduced = np.asarray(np.linalg.qr(np.hstack([monomials(seen, degree), growth]), mode="r"))
            left, sizes, right = np.linalg.svd(reduced[:, :size], full_matrices=False)
            told, unit = left.T @ reduced[:, size:], np.square(sizes).sum() / size
            for ridge in RIDGES:
                weights = sizes / (np.square(sizes) + ridge * unit)
                yield cls(mean, scale, delays, degree, right.T @ (weights[:, None] * told))

    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        # A history that is shorter than the delays is taken to have been at rest.
        places = np.clip(history.shape[1] - 1 - np.arange(self.delays[0] + 1)[::-1], 0, None)
        return ((history[:, places] - self.mean) / self.scale,)

    def advance(self, carry: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        (past,) = carry
        seen = past[:, past.shape[1] - 1 - self.delays].reshape(len(past), -1)
        now = past[:, -1] + monomials(seen, self.degree) @ self.coefficients
        return now * self.scale + self.mean, (np.concatenate([past[:, 1:], now[:, None]], axis=1),)
