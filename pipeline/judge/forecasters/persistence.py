"""All stays as it is."""

from typing import Self

import numpy as np

from .examples import Examples
from .forecaster import Baseline


class Persistence(Baseline):
    @classmethod
    def fit(cls, train: Examples, validation: Examples) -> Self:
        return cls()

    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        return np.repeat(history[:, -1:], steps, axis=1)
