"""What is read together: of files here a few stretches of rows, of files elsewhere as much as a request brings."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..remote.opening import size_elsewhere
from ..remote.pages import ENDS

# A thread reads so many stretches here in one go, which shares the cost of handing them over.
STRETCHES = 32
# So many requests at once, and what one brings at the most, so that the others go beside it.
REQUESTS = 8
REQUEST_BYTES = 8 << 20
# Ranges that lie no farther apart come together, as one more request takes as long.
FAR_BYTES = 16 << 10
# What nobody asked for may come along where that saves requests: so much of what was asked for.
SLACK = 1 / 6

Read = TypeVar("Read")


@dataclass(frozen=True)
class Sweep:
    """Stretches of rows that are read one after the other.

    stretches  which ones
    part       the file elsewhere that they are all in; None of files here
    rows       of the split, from which up to (without) which
    whole      whether that file comes as a whole
    """

    stretches: slice
    part: int | None = None
    rows: tuple[int, int] = (0, 0)
    whole: bool = False


def near_sweeps(stretches: int) -> list[Sweep]:
    """Of so many stretches in files here."""
    return [Sweep(slice(first, first + STRETCHES)) for first in range(0, stretches, STRETCHES)]


def each_of(read: Callable[..., Read], *items: Sequence[Any], at_once: bool) -> list[Read]:
    """What is read of each item, one after the other, or of several at once as from elsewhere."""
    if not at_once or len(items[0]) < 2:
        return list(map(read, *items))
    with ThreadPoolExecutor(REQUESTS) as readers:
        return list(readers.map(read, *items))


class FarParts:
    """The files of a split that lies elsewhere, and by which requests they had better come.

    paths      of the files
    rows       (files,) of each
    row_bytes  of the states of a row
    """

    def __init__(self, paths: list[Path], rows: np.ndarray, row_bytes: int) -> None:
        self._row_bytes = row_bytes
        # Of a file that is here: 0.
        self._sizes = np.array([size_elsewhere(path) or 0 for path in paths])
        self._stored = np.minimum(self._sizes, row_bytes * rows)
        self._came: set[int] = set()

    def whole(self, wanted: np.ndarray, known: Collection[int], came: Collection[int] = ()) -> np.ndarray:
        """Which files are to come as a whole, as that brings little that nobody asked for, (files,) bool.

        wanted  bytes of the states that are asked for, of each file
        known   files that were opened before, which saves less
        came    files that came before, and are here yet if there is room
        """
        opened, here = (np.isin(np.arange(len(wanted)), list(numbers)) for numbers in (known, came))
        wanted = np.where(wanted > 0, np.minimum(wanted, self._stored) + ~opened * ENDS, 0)
        waste = np.where(here, 0, np.maximum(0, self._sizes - wanted))
        able = np.flatnonzero((wanted > 0) & (self._sizes <= REQUEST_BYTES))
        able = able[np.lexsort((waste[able], opened[able]))]
        whole = np.zeros(len(wanted), bool)
        whole[able[np.cumsum(waste[able]) <= SLACK * wanted.sum()]] = True
        return whole

    def whole_for(
        self, shares: Mapping[int, np.ndarray], sample_bytes: int, known: Collection[int]
    ) -> Collection[int]:
        """The same for rows that lie anywhere: `shares` has those of each file that has some."""
        wanted = np.zeros(len(self._sizes))
        for number, rows in shares.items():
            # They come with what is between them, where that is little.
            extent = (int(rows.max() - rows.min()) + 1) * self._row_bytes
            wanted[number] = min(extent, len(rows) * (sample_bytes + FAR_BYTES))
        found = set(np.flatnonzero(self.whole(wanted, known, self._came)).tolist())
        self._came |= found
        return found

    def sweeps(self, stretches: np.ndarray, parts: np.ndarray, known: Collection[int]) -> list[Sweep]:
        """Stretches of one file that adjoin, and all of one that comes as a whole.

        stretches  (n, 2) int64, from which row up to (without) which, in ascending order
        parts      (n,) the file that each is in
        """
        sizes = (stretches[:, 1] - stretches[:, 0]) * self._row_bytes
        whole = self.whole(np.bincount(parts, sizes, len(self._sizes)), known)
        most = max(1, REQUEST_BYTES // self._row_bytes)
        sweeps: list[Sweep] = []
        for number, ((first, last), part) in enumerate(zip(stretches.tolist(), parts.tolist(), strict=True)):
            before = sweeps[-1] if sweeps else Sweep(slice(0, 0))
            begin, end = before.rows
            if before.part == part and (before.whole or (first == end and last - begin <= most)):
                joined = slice(before.stretches.start, number + 1)
                sweeps[-1] = Sweep(joined, part, (begin, last), before.whole)
            else:
                sweeps.append(Sweep(slice(number, number + 1), part, (first, last), bool(whole[part])))
        return sweeps
