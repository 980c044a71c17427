"""The past of one row of a delay equation, as SciPy's dense output: what `scipy` looks back to."""

from bisect import bisect_left
from typing import Any

import numpy as np


class DensePast:
    """Pieces of a trajectory one after the other; before `start` the initial state (D,)."""

    def __init__(self, start: float, initial_state: np.ndarray) -> None:
        self._start, self._initial_state = start, initial_state
        self._ends: list[float] = []
        self._pieces: list[Any] = []

    def add(self, end: float, piece: Any, forget: float) -> None:
        """One more piece, up to `end`; what lies before `forget` is not asked for any more."""
        while self._ends and self._ends[0] < forget:
            del self._ends[0], self._pieces[0]
        self._ends.append(end)
        self._pieces.append(piece)

    def at(self, component: int, time: float) -> float:
        if time <= self._start or not self._ends:
            return float(self._initial_state[component])
        piece = self._pieces[min(bisect_left(self._ends, time), len(self._ends) - 1)]
        return float(piece(time)[component])
