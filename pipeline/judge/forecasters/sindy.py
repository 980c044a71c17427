"""Sparse identification of dynamics, by pysindy: a polynomial field of few terms, found from slopes and integrated.

Brunton, Proctor and Kutz 2016, doi:10.1073/pnas.1517384113.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import comb
from typing import Any, Self

import numpy as np

from ....data.base.errors import TrajstoreError
from ....data.base.installing import install
from .choice import best_on
from .examples import Examples
from .first_state import monomials
from .standardised import Standardised

try:
    import pysindy
except ImportError as error:
    raise TrajstoreError(
        f"the baseline sindy needs the package pysindy, which cannot be imported ({error}); "
        f"{install('baselines')}"
    ) from None

# What is chosen from: products of how many components, and what a term that stays is worth at least, of states in
# their deviations and slopes in their root mean square.
DEGREES, THRESHOLDS = (1, 2, 3, 5), (0.0, 0.003, 0.01, 0.03, 0.1)
# Points over which states are smoothed by cubics before slopes are taken; 0 is not at all.
SMOOTHED = (0, 11, 31)
# The sparse regression runs into rounding without any.
RIDGE = 1e-8
MOST_FEATURES = 300
# Of Runge and Kutta's method, from sample to sample.
SUBSTEPS = 2


@dataclass(frozen=True)
class Sindy(Standardised):
    """dx/dt is the products up to `degree` times `coefficients` (F, D), raw units; samples are `step` apart."""

    degree: int
    step: float
    coefficients: np.ndarray

    @classmethod
    def fit(cls, train: Examples, validation: Examples) -> Self | None:
        return best_on(validation.series, train.series.moments()[1], cls._candidates(train))

    @classmethod
    def _candidates(cls, train: Examples) -> Iterator[Self]:
        states, step = train.series.states, train.pairs.step
        mean, scale = train.series.moments()
        for smoothed, degree in product(SMOOTHED, DEGREES):
            size = comb(states.shape[2] + degree, degree)
            if states.shape[1] < max(5, smoothed) or (size > MOST_FEATURES and degree > 1):
                continue
            # Divided, not shifted: a field that has few terms keeps them few.
            seen, slopes = _slopes(states / scale, step, smoothed)
            rates = np.sqrt(np.square(slopes).mean(axis=0))
            rates[rates == 0] = 1.0
            units = monomials(scale[None], degree).T
            for threshold in THRESHOLDS:
                model = pysindy.SINDy(
                    optimizer=pysindy.STLSQ(threshold=threshold, alpha=RIDGE),
                    feature_library=pysindy.PolynomialLibrary(degree=degree),
                )
                with warnings.catch_warnings():
                    # That nothing is left, and that of regressions some are nearly singular.
                    warnings.simplefilter("ignore")
                    model.fit(seen, t=step, x_dot=slopes / rates)
                yield cls(mean, scale, degree, step, model.coefficients().T * rates * scale / units)

    def field(self, states: np.ndarray) -> np.ndarray:
        """dx/dt (N, D) of states (N, D)."""
        return monomials(states, self.degree) @ self.coefficients

    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        return (history[:, -1],)

    def advance(self, carry: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        (now,), step = carry, self.step / SUBSTEPS
        for _ in range(SUBSTEPS):
            first = self.field(now)
            second = self.field(now + step / 2 * first)
            third = self.field(now + step / 2 * second)
            now = now + step / 6 * (first + 2 * (second + third) + self.field(now + step * third))
        return now, (now,)


def _slopes(states: np.ndarray, step: float, smoothed: int) -> tuple[np.ndarray, np.ndarray]:
    """States and dx/dt (N L, D) of stretches (N, L, D), by differences of the fourth order.

    All stretches in one: pysindy takes a list as well, but each of its stretches by itself.
    """
    # Of any type, for theirs knows whole steps alone.
    method: Any = pysindy.FiniteDifference(order=4)
    if smoothed:
        options = {"window_length": smoothed, "polyorder": 3}
        method = pysindy.SmoothedFiniteDifference(smoother_kws=options, order=4)
    slopes = [np.asarray(method(each, t=step)) for each in states]
    return np.concatenate(states), np.concatenate(slopes)
