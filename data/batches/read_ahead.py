"""Fills of a shuffle buffer: one is read by threads while batches are taken from the other."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import TypeVar

import numpy as np

from .block_order import Share
from .dataset import Batch, TrajectoryDataset
from .sweeps import Sweep

Item = TypeVar("Item")


class Fill:
    """The rows of one share, in memory that is used again by the share after the next.

    places  (m,) int64: where in that memory the samples are, in the order of use
    ends    whether an epoch ends with them
    """

    def __init__(self, dataset: TrajectoryDataset, *, keep: bool) -> None:
        self._dataset, self._keep = dataset, keep
        shape = (0, len(dataset.time), len(dataset.components))
        self._memory = np.empty(shape, dataset.store.dtype)
        self._rows = np.empty(0, np.int64)
        self.places = np.empty(0, np.int64)
        self.ends = False

    def read(self, share: Share, ends: bool, readers: ThreadPoolExecutor) -> "Fill":
        """Read a share in place of what was here. Raises FormatError if a file is damaged."""
        windows = self._dataset.windows.per_row
        rows = np.stack([share.pieces[:, 0] // windows, -(-share.pieces[:, 1] // windows)], axis=1)
        counts = rows[:, 1] - rows[:, 0]
        bounds = np.append(0, np.cumsum(counts))
        if len(self._memory) < bounds[-1]:
            self._memory = np.empty((int(bounds[-1]), *self._memory.shape[1:]), self._memory.dtype)
        if self._dataset.parameters:
            self._rows = np.concatenate([self._stored(first, last) for first, last in rows])
        # One sweep over the files, whatever the order of use.
        order = np.argsort(rows[:, 0], kind="stable")
        store, stored = self._dataset.store, self._dataset.stored_rows

        def read(sweep: Sweep) -> None:
            store.bring(sweep)
            store.read(
                [
                    (self._stored(*rows[piece]), self._memory[bounds[piece] : bounds[piece + 1]])
                    for piece in order[sweep.stretches]
                ],
                keep=self._keep,
            )

        sweeps = store.sweeps(np.stack([stored(rows[order, 0]), stored(rows[order, 1] - 1) + 1], axis=1))
        tasks = [readers.submit(read, sweep) for sweep in sweeps]
        self.places, self.ends = self._within_rows(share, rows[:, 0], bounds[:-1]), ends
        for task in tasks:
            task.result()
        return self

    def _stored(self, first: int, last: int) -> np.ndarray:
        return self._dataset.stored_rows(np.arange(first, last))

    def _within_rows(self, share: Share, first_rows: np.ndarray, laid: np.ndarray) -> np.ndarray:
        """Places among the windows of all rows read, from places among the samples of the pieces alone."""
        places = share.places.numpy()
        windows = self._dataset.windows.per_row
        if windows == 1:
            return places
        sizes = share.pieces[:, 1] - share.pieces[:, 0]
        begins = laid * windows + share.pieces[:, 0] - first_rows * windows
        return places + np.repeat(begins - (np.cumsum(sizes) - sizes), sizes)[places]

    def batch(self, places: np.ndarray) -> Batch:
        """The samples at some places: inputs and targets (B, T, D), copies."""
        windows = self._dataset.windows
        rows, starts = windows.locate(places) if windows.length < windows.samples else (places, None)
        taken = windows.take(self._memory, rows, starts)
        return self._dataset.batch(taken, self._rows[rows] if self._dataset.parameters else rows)


def fills(
    dataset: TrajectoryDataset,
    shares: Iterator[tuple[Share, bool]],
    readers: ThreadPoolExecutor,
    *,
    keep: bool,
) -> Iterator[Fill]:
    """Fills, one after the other; each is lost when the one after the next is asked for.

    shares   what to read, and whether an epoch ends with it; also computed ahead
    readers  threads that read
    keep     False gives the pages of files back to the system when they were read

    Raises FormatError if a file is damaged.
    """
    memory = cycle((Fill(dataset, keep=keep), Fill(dataset, keep=keep)))
    return ahead(fill.read(*share, readers) for share, fill in zip(shares, memory, strict=False))


def ahead(items: Generator[Item], stop: Callable[[], object] | None = None) -> Iterator[Item]:
    """The same items; a thread makes the next one while one is used.

    stop  is called when nobody asks any more, before the end of the one that is being made is waited for
    """
    thread = ThreadPoolExecutor(1)
    try:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
    finally:
        if stop is not None:
            stop()
        thread.shutdown()
        items.close()
