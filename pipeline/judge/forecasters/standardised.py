"""What baselines of standardised states share: how they are fitted and chosen, and where a rollout of theirs ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from .choice import best_on
from .examples import Examples
from .forecaster import Baseline, near


@dataclass(frozen=True)
class Standardised(Baseline):
    """Sees states in deviations `scale` (D,) from `mean` (D,), those of the train split."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, train: Examples, validation: Examples) -> Self | None:
        """The best of the candidates on `validation`; None where there is none."""
        mean, scale = train.series.moments()
        states = (train.series.states - mean) / scale
        return best_on(validation.series, scale, cls.candidates(states, mean, scale))

    @classmethod
    def candidates(cls, states: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Iterator[Self]:
        """One for each choice of settings, fitted to standardised states (n, L, D)."""
        raise NotImplementedError

    def keeps(self, states: np.ndarray) -> np.ndarray:
        return near(states, self.mean, self.scale)
