"""Batches of a dataset that is shuffled in blocks: read in large pieces, in bounded memory."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..base.errors import DataError
from ..base.memory_limit import memory_limit
from ..base.seeds import mix_seeds
from .block_order import BlockOrder, Share
from .dataset import Batch, TrajectoryDataset
from .read_ahead import ahead, fills
from .reading import Reading
from .sweeps import REQUESTS

# So many reads under way keep a solid-state disk busy.
THREADS = 4
# What the order of use takes a sample.
PLACE_BYTES = 8


class BlockReader:
    """The samples of one rank, epoch by epoch.

    reading  gives the bytes of rows that are read together, and how many are held in memory at once, by all ranks
             together: half of these are used while the other half is read
    rows     samples of this rank an epoch

    Raises DataError if a value is impossible.
    """

    def __init__(self, dataset: TrajectoryDataset, reading: Reading, rows: int) -> None:
        self._dataset, self._reading, self._rows = dataset, reading, rows
        self._bounds = dataset.block_bounds(reading.block_bytes)
        windows = dataset.windows.per_row
        largest = int(np.diff(self._bounds).max()) // windows
        block = largest * (dataset.store.row_bytes + PLACE_BYTES * windows)
        self._blocks_in_fill = reading.buffer_bytes // 2 // block
        if not self._blocks_in_fill:
            mend = (
                "choose smaller block_bytes, or a larger buffer"
                if largest > 1
                else "a block has whole rows: choose a larger buffer, make shorter rows, or shuffle fully"
            )
            raise DataError(
                f"buffer_bytes is {reading.buffer_bytes}, but two blocks of {largest} rows take {2 * block} bytes, "
                f"one to be read while the other is used; {mend}"
            )
        limit = memory_limit()
        # A dataset that fits is left in the page cache for the next epoch; a larger one would only push out others.
        self._keep = limit is None or dataset.store.bytes < limit // 2

    def order(self, epoch: int) -> Tensor:
        """Sample numbers in the order of an epoch, int64."""
        return torch.cat([share.numbers() for share in self._shares(epoch, 0)])

    def batches(self, passes: Iterable[tuple[int, int]], gather: int) -> Iterator[Batch]:
        """Batches of epochs, each given as its number and how many samples of it to skip.

        gather  samples that are taken from memory together, a multiple of the batch size

        Of the fill in which a pass begins, all is read; what was before it is not.
        """
        size = self._reading.batch_size
        threads = self._reading.workers or THREADS
        readers = ThreadPoolExecutor(REQUESTS if self._dataset.store.is_far else threads)
        stop = partial(readers.shutdown, wait=False, cancel_futures=True)
        for inputs, targets in ahead(self._gathered(passes, gather, readers), stop):
            yield from zip(inputs.split(size), targets.split(size), strict=True)

    def _gathered(
        self,
        passes: Iterable[tuple[int, int]],
        gather: int,
        readers: ThreadPoolExecutor,
    ) -> Generator[Batch]:
        """Several batches at once; only the last one of an epoch is smaller than the others."""
        batch_size = self._reading.batch_size
        shares = (share for epoch, skip in passes for share in self._marked(epoch, skip))
        begun: list[Batch] = []
        for fill in fills(self._dataset, shares, readers, keep=self._keep):
            places, used = fill.places, 0
            if begun:
                used = batch_size - sum(len(targets) for _, targets in begun)
                begun.append(fill.batch(places[:used]))
                if used <= len(places):
                    yield _joined(begun)
                    begun = []
            whole = max(used, len(places) - (len(places) - used) % batch_size)
            for first in range(used, whole, gather):
                yield fill.batch(places[first : min(first + gather, whole)])
            if whole < len(places):
                begun.append(fill.batch(places[whole:]))
            if fill.ends and begun:
                yield _joined(begun)
                begun = []

    def _marked(self, epoch: int, skip: int) -> Iterator[tuple[Share, bool]]:
        """Shares, each with whether it is the last of its epoch."""
        left = self._rows - skip
        for share in self._shares(epoch, skip):
            left -= len(share.places)
            yield share, not left

    def _shares(self, epoch: int, skip: int) -> Iterator[Share]:
        """What this rank uses of each fill, in turn, without its first samples."""
        rank, world_size = self._reading.rank, self._reading.world_size
        order = BlockOrder(self._bounds, self._blocks_in_fill, mix_seeds(self._reading.seed, epoch))
        for number in range(order.fills):
            first, last = order.turns(number, rank, world_size)
            wanted = slice(max(first, skip), min(last, self._rows))
            if wanted.start < wanted.stop:
                share = order.share(number, rank, world_size)
                yield share.part(wanted.start - first, wanted.stop - first)
        # The first samples of the epoch again, so that all ranks have as many.
        for turn in range(max(skip, order.turns(order.fills - 1, rank, world_size)[1]), self._rows):
            number = order.sample((rank + turn * world_size) % len(order))
            yield Share(np.array([[number, number + 1]]), torch.zeros(1, dtype=torch.int64))


def _joined(parts: list[Batch]) -> Batch:
    inputs, targets = zip(*parts, strict=True)
    return torch.cat(inputs), torch.cat(targets)
