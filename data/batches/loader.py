"""Batches of a dataset in a seeded order, gathered in blocks of several batches at a time."""

from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from ..base.errors import DataError
from ..base.representation import told
from ..base.seeds import mix_seeds
from ..tasks.task import TARGET
from . import block_sizes
from .block_reader import BlockReader
from .dataset import Batch, TrajectoryDataset
from .device_dataset import ResidentDataset
from .reading import Reading

# A block of batches is gathered at once, which shares the cost of a call among them, and is small enough
# to stay in a core's cache until its last batch is used.
BLOCK_ROWS = 8192
BLOCK_BYTES = 4 << 20


class _Unsaid(int):
    """The seed of who gives none: 0, and not the same as a 0 that is given."""


NO_SEED = _Unsaid(0)


class Loader:
    """An iterable over batches; `make_loader` makes one.

    One pass is an epoch of pairs (inputs, targets), each of shape (B, T, D) and the dataset's dtype. Each pass
    takes the next epoch; `set_epoch` chooses one.

    The order of an epoch is a function of (seed, epoch) alone, and not of workers, world size or how many batches
    are gathered at once. A shuffle in blocks has another order for each size of its blocks and its buffer.

    Attributes:
        dataset: Where the samples come from.
        epoch: The number of the epoch that the next pass takes.
        batch_size, shuffle, seed, drop_last, rank, world_size: As they were given to `make_loader`.
    """

    def __init__(self, dataset: TrajectoryDataset | ResidentDataset, reading: Reading) -> None:
        self.dataset, self._reading, self.epoch = dataset, reading, 0
        self.batch_size, self.shuffle, self.seed = reading.batch_size, reading.shuffle, reading.seed
        self.drop_last, self.rank, self.world_size = reading.drop_last, reading.rank, reading.world_size
        self._rows = reading.share(len(dataset))
        block = min(BLOCK_ROWS, BLOCK_BYTES // dataset.sample_bytes)
        self._block = self.batch_size * max(1, block // self.batch_size)
        self._reader = None
        if self.shuffle == "block":
            if isinstance(dataset, ResidentDataset):
                raise DataError(
                    'shuffle is "block", which reads from disk, but the dataset lies on a device; give shuffle=True'
                )
            if unread := unread_in_blocks(dataset):
                raise DataError(f'shuffle is "block", which reads no {unread}; give shuffle=True')
            self._reader = BlockReader(dataset, reading, self._rows)

    def __len__(self) -> int:
        """Batches an epoch (of this rank)."""
        return -(-self._rows // self.batch_size)

    def __repr__(self) -> str:
        shuffled = f"shuffle {self.shuffle!r}, seed {self.seed}" if self.shuffle else "in order"
        share = f"; rank {self.rank} of {self.world_size}" if self.world_size > 1 else ""
        return told(
            type(self),
            f"{len(self)} batches of {self.batch_size} an epoch, {shuffled}{share}; of {self.dataset!r}",
        )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass."""
        self.epoch = epoch

    def order(self, epoch: int) -> Tensor:
        """Sample numbers of this rank in the order of an epoch, int64.

        Ranks take turns, so that world_size ranks together see the same global batches as one. Without
        drop_last the first samples fill up the last turn, so that all ranks make the same number of steps.
        """
        if self._reader is not None:
            return self._reader.order(epoch)
        size = len(self.dataset)
        if self.shuffle:
            # A generator of one's own for each epoch: any epoch can be entered without the ones before.
            generator = torch.Generator().manual_seed(mix_seeds(self.seed, epoch))
            order = torch.randperm(size, generator=generator)
        else:
            order = torch.arange(size)
        if self.world_size > 1:
            if not self.drop_last and size % self.world_size:
                order = order.repeat(-(-self.world_size // size) + 1)[: self._rows * self.world_size]
            order = order[self.rank :: self.world_size]
        return order[: self._rows]

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self._batches([(epoch, 0)])

    def steps(self, start: int = 0) -> Iterator[Batch]:
        """Batches without end, epoch after epoch, from batch number `start` on; what is skipped is not read."""
        epoch, skip = divmod(start, len(self))
        whole = ((later, 0) for later in count(epoch + 1))
        return self._batches(chain([(epoch, skip * self.batch_size)], whole))

    def _batches(self, passes: Iterable[tuple[int, int]]) -> Iterator[Batch]:
        """Batches of epochs, each given as its number and how many samples of it to skip."""
        if self._reader is not None:
            yield from self._reader.batches(passes, self._block)
            return
        for epoch, skip in passes:
            order = self.order(epoch)[skip:]
            blocks = DataLoader(
                self.dataset, batch_size=None, sampler=_Blocks(order, self._block), **self._reading.processes
            )
            for inputs, targets in blocks:
                yield from zip(inputs.split(self.batch_size), targets.split(self.batch_size), strict=True)


class _Blocks(Sampler[Tensor]):
    def __init__(self, order: Tensor, size: int) -> None:
        self._blocks = order.split(size)

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self._blocks)


def make_loader(
    dataset: TrajectoryDataset | ResidentDataset,
    batch_size: int,
    *,
    shuffle: bool | Literal["block"] | None = None,
    seed: int = NO_SEED,
    drop_last: bool = False,
    workers: int = 0,
    start_method: str | None = None,
    rank: int = 0,
    world_size: int = 1,
    block_bytes: int = block_sizes.BLOCK_BYTES,
    buffer_bytes: int = block_sizes.BUFFER_BYTES,
) -> Loader:
    """A loader that gives batches of a dataset.

    Args:
        dataset: A `TrajectoryDataset`, or one whose samples lie on a device.
        batch_size: How many samples a batch of this process has.
        shuffle: False, or left out, keeps the order of the dataset. True shuffles all samples anew each epoch.
            "block" reads blocks of consecutive rows in random order into a buffer and shuffles each fill of it,
            for datasets that are larger than memory; see the page Scale of the docs.
        seed: What the order of a shuffled epoch follows from, together with the number of the epoch. It shuffles
            nothing by itself: given without `shuffle`, it is refused.
        drop_last: Whether to leave out a last batch that is not full.
        workers: How many processes read ahead. 0 reads in this process, which is faster from memory maps. In
            blocks, threads of this process read ahead: so many, or four for 0.
        start_method: "fork", "spawn" or "forkserver" for the workers; None is the platform's own.
        rank: The number of this process in distributed training, which gives it its share of the samples.
        world_size: How many processes share the samples.
        block_bytes: Bytes of the rows that a shuffle in blocks reads together.
        buffer_bytes: Bytes of rows that a shuffle in blocks holds in memory at once, for all ranks together. Half
            of them are mixed with each other.

    Raises:
        DataError: A value is impossible, there is nothing to seed, or the dataset cannot be read in that way.
    """
    if shuffle is None and seed is not NO_SEED:
        raise DataError(
            f'seed is {seed!r:.80}, and nothing is shuffled; give shuffle=True (or "block"), or leave seed out, or '
            "say shuffle=False where the order of the dataset is meant"
        )
    if not hasattr(dataset, "sample_bytes"):
        raise DataError(
            f"dataset is {dataset!r:.80}; expected a TrajectoryDataset, as in TrajectoryDataset(path)"
        )
    reading = Reading(
        batch_size=batch_size,
        shuffle=False if shuffle is None else shuffle,
        seed=seed,
        drop_last=drop_last,
        workers=workers,
        start_method=start_method,
        rank=rank,
        world_size=world_size,
        block_bytes=block_bytes,
        buffer_bytes=buffer_bytes,
    )
    return Loader(dataset, reading)


def unread_in_blocks(dataset: TrajectoryDataset) -> str:
    """What a dataset's samples need and a shuffle in blocks does not read, in words; empty where that is nothing."""
    return " or ".join(
        "clean targets" if name == TARGET else variable for name, variable in dataset.beside.items()
    )
