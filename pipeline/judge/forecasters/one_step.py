"""Maps from a state to the next, by least squares on monomials of the state and of the parameters that vary."""

from dataclasses import dataclass
from math import comb
from typing import ClassVar, Self

import numpy as np

from .examples import Examples, scales
from .first_state import MAX_TERMS, monomials
from .forecaster import Baseline, near

HIGHEST_DEGREE = 7
# A map needs several times as many pairs as it has terms.
PAIRS_A_TERM = 4
# The mean square of what is missed, in deviations, that is rounding alone.
ROUNDING = 1e-28


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
    def fit(cls, train: Examples, validation: Examples) -> Self | None:
        pairs, held_out = train.pairs, validation.pairs
        varies = np.ptp(pairs.parameters, axis=0) > 0
        told = np.hstack([pairs.before, pairs.parameters[:, varies]])
        mean, scale = told.mean(axis=0), scales(told)
        most = min(MAX_TERMS, len(told) // PAIRS_A_TERM)
        found: list[tuple[float, Self]] = []
        for degree in cls.degrees:
            if comb(told.shape[1] + degree, degree) > most:
                break
            features = monomials((told - mean) / scale, degree)
            coefficients = np.linalg.lstsq(features, pairs.after, rcond=None)[0]
            fitted = cls(degree, mean, scale, varies, coefficients)
            missed = fitted.after(held_out.before, held_out.parameters[:, varies]) - held_out.after
            error = float(np.square(missed / scale[: missed.shape[1]]).mean())
            # Of maps that are exact the first, and simplest, is taken, not the one whose rounding is luckiest.
            found.append((max(error, ROUNDING), fitted))
        return min(found, key=lambda each: each[0])[1] if found else None

    def after(self, states: np.ndarray, told: np.ndarray) -> np.ndarray:
        """The states (N, D) one step later, where the parameters that vary are `told` (N, V)."""
        seen = (np.hstack([states, told]) - self.mean) / self.scale
        return monomials(seen, self.degree) @ self.coefficients

    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        return history[:, -1], parameters[:, self.varies]

    def advance(self, carry: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        now = self.after(*carry)
        return now, (now, carry[1])

    def keeps(self, states: np.ndarray) -> np.ndarray:
        mean, scale = (values[: states.shape[1]] for values in (self.mean, self.scale))
        return near(states, mean, scale)


class Linear(Map):
    """The best linear map."""

    degrees = (1,)


class Polynomial(Map):
    """The polynomial map of the degree that foretells the validation split best, one step ahead."""

    degrees = tuple(range(1, HIGHEST_DEGREE + 1))
