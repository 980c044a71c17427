"""Rows on their way through an engine that takes many at once: what goes in, and what comes out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

# A row that gets nowhere has diverged if it has grown so many times since the first half of its way.
LARGE = 1e3

Grids = Iterable[tuple[int, np.ndarray]]
"""Pieces of the grid: the number of the first point of each, and its times (n, lanes)."""


@dataclass(frozen=True)
class Batches:
    """All rows in the order in which they are integrated.

    starts, parameters, times  (D, N), (P, N), (T,): what goes in
    states, status             (N, T, D), (N,) int8: what comes out
    """

    starts: np.ndarray
    parameters: np.ndarray
    times: np.ndarray
    states: np.ndarray
    status: np.ndarray

    @classmethod
    def of(cls, starts: np.ndarray, parameters: np.ndarray, times: np.ndarray) -> "Batches":
        """Rows that go in, (D, N) and (P, N)."""
        size, rows = starts.shape
        return cls(
            np.ascontiguousarray(starts),
            np.ascontiguousarray(parameters),
            times,
            np.empty((rows, len(times), size)),
            np.zeros(rows, dtype=np.int8),
        )

    def part(self, rows: np.ndarray, times: np.ndarray) -> "Batches":
        """Some of the rows by themselves, to be integrated along another grid."""
        return Batches.of(self.starts[:, rows], self.parameters[:, rows], times)

    def has_grown(self, row: int, state: np.ndarray, time: float) -> bool:
        """Has a row that gets nowhere grown without bound, that is at this state (D,) and time?"""
        begin = self.times[0]
        before = self.states[row, self.times <= begin + (time - begin) / 2]
        return bool(np.abs(state).max() > LARGE * np.abs(before).max())


def grids_of(times: np.ndarray, lanes: int, piece: int) -> Iterator[tuple[int, np.ndarray]]:
    """A grid in pieces of so many points, each of which begins where the one before it ends."""
    for first in range(0, max(1, len(times) - 1), piece - 1):
        yield first, np.repeat(times[first : first + piece, None], lanes, axis=1)
