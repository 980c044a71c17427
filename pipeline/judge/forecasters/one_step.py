"""Maps from a state to the next, by least squares on monomials of the state and of the parameters that vary."""

from dataclasses import dataclass
from math import comb
from typing import ClassVar, Self

import numpy as np

from .first_state import MAX_TERMS, monomials
from .forecaster import Baseline, Pairs

HIGHEST_DEGREE = 7
# A map needs several times as many pairs as it has terms.
PAIRS_A_TERM = 4


@dataclass(frozen=True)
class Map(Baseline):
    """The states are shifted by `mean` (D + V,) and divided by `scale` before monomials are made of them.

    A rollout is kept within the range of float64 by ending where it leaves a thousand deviations.
    """

    degrees: ClassVar[tuple[int, ...]]
    degree: int
    mean: np.ndarray
    scale: np.ndarray
    varies: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def fit(cls, train: Pairs, validation: Pairs) -> Self | None:
        varies = np.ptp(train.parameters, axis=0) > 0
        told = np.hstack([train.before, train.parameters[:, varies]])
        mean, scale = told.mean(axis=0), told.std(axis=0)
        scale[scale == 0] = 1.0
        most = min(MAX_TERMS, len(told) // PAIRS_A_TERM)
        found: list[tuple[float, Self]] = []
        for degree in cls.degrees:
            if comb(told.shape[1] + degree, degree) > most:
                break
            features = monomials((told - mean) / scale, degree)
            coefficients = np.linalg.lstsq(features, train.after, rcond=None)[0]
            fitted = cls(degree, mean, scale, varies, coefficients)
            missed = fitted.after(validation.before, validation.parameters) - validation.after
            found.append((float(np.square(missed / scale[: missed.shape[1]]).mean()), fitted))
        return min(found, key=lambda each: each[0])[1] if found else None

    def after(self, states: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """The states (N, D) one step later."""
        told = (np.hstack([states, parameters[:, self.varies]]) - self.mean) / self.scale
        return monomials(told, self.degree) @ self.coefficients

    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        predicted = np.full((len(history), steps, history.shape[2]), np.nan)
        now, going = history[:, -1], np.arange(len(history))
        mean, scale = (values[: history.shape[2]] for values in (self.mean, self.scale))
        for step in range(steps):
            now = self.after(now, parameters[going])
            kept = (np.abs(now - mean) < 1e3 * scale).all(axis=1)
            now, going = now[kept], going[kept]
            if not len(going):
                break
            predicted[going, step] = now
        return predicted


class Linear(Map):
    """The best linear map."""

    degrees = (1,)


class Polynomial(Map):
    """The polynomial map of the degree that foretells the validation split best, one step ahead."""

    degrees = tuple(range(1, HIGHEST_DEGREE + 1))
