"""The times at which heyoka gives states, in pieces, and in the form that it takes them fastest in."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np


class Grid(np.ndarray):
    """Times (n, lanes), the same in all lanes, which heyoka reads five times as fast as from another array.

    It flattens what it is given, and takes the numbers one by one, as objects, while it holds the GIL. An array makes
    an object for each, which took two fifths of the time of a row of van der Pol; here they are made already.
    """

    _numbers: list[float]

    @classmethod
    def of(cls, times: np.ndarray, lanes: int) -> "Grid":
        """Times (n,) for so many lanes."""
        grid = np.repeat(times[:, None], lanes, axis=1).view(cls)
        grid._numbers = [time for time in times.tolist() for _ in range(lanes)]
        return grid

    def flatten(self, *_: Any, **__: Any) -> Any:
        return self._numbers


Grids = Iterable[tuple[int, Grid]]
"""Pieces of the grid: the number of the first point of each, and its times."""


def grids_of(times: np.ndarray, lanes: int, piece: int) -> Iterator[tuple[int, Grid]]:
    """A grid in pieces of so many points, each of which begins where the one before it ends."""
    for first in range(0, max(1, len(times) - 1), piece - 1):
        yield first, Grid.of(times[first : first + piece], lanes)
