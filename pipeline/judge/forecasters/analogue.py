"""The analogue: what followed the most similar state of the train split follows (Lorenz 1969,
doi:10.1175/1520-0469(1969)26<636:APARBN>2.0.CO;2).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.spatial import KDTree

from .examples import Examples
from .forecaster import Baseline


@dataclass(frozen=True)
class Analogue(Baseline):
    """`tree` of states in units of `scale` (D,), and the state `after` (N, D) each."""

    tree: KDTree
    scale: np.ndarray
    after: np.ndarray

    @classmethod
    def fit(cls, train: Examples, validation: Examples) -> Self:
        states = train.series.states
        _, scale = train.series.moments()
        before, after = (part.reshape(-1, states.shape[2]) for part in (states[:, :-1], states[:, 1:]))
        return cls(KDTree(before / scale), scale, after)

    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        # It has no exponent: runs that are next to each other have the same neighbour, and part no more.
        now, predicted = history[:, -1], []
        for _ in range(steps):
            _, nearest = self.tree.query(now / self.scale)
            now = self.after[nearest]
            predicted.append(now)
        return np.stack(predicted, axis=1)
