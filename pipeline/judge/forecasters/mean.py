"""The mean of the train split."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from .examples import Examples
from .forecaster import Baseline


@dataclass(frozen=True)
class Mean(Baseline):
    """`mean` (D,) of all states."""

    mean: np.ndarray

    @classmethod
    def fit(cls, train: Examples, validation: Examples) -> Self:
        return cls(train.series.moments()[0])

    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.mean, (len(history), steps, len(self.mean)))
