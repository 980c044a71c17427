"""Are shuffled batches from disk as fast as from memory, and how do the usual ways compare?

Task initial-value, 21 samples of two components, the dataset in 16 shards, one thread, no worker processes.
Files lie in the page cache. The shuffle of an epoch is in the time of its samples.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import click
import h5py
import numpy as np
import torch
from report import machine, ratios, repeated, rounds, spread, table, verdict
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, TensorDataset
from trajstore.data import TrajectoryDataset, make_loader
from trajstore.data.batches.device_dataset import ResidentDataset
from trajstore.pipeline import generate, load_config

CONFIG = Path(__file__).parents[1] / "configs" / "van-der-pol.toml"
SHARDS = 16
BATCHES = (20, 256, 4096)
# Those that take samples one by one read so many of an epoch.
SLOW_SAMPLES = 65_536
OURS, BY_ITEM = "trajstore make_loader", "h5py item by item, DataLoader"
RESIDENT = "trajstore make_loader, ResidentDataset on the CPU"
RAW, SELECT = "in memory: inputs[index], targets[index]", "in memory: index_select of both"
Reader = Callable[[int], Iterator[Any]]


class H5Items(Dataset[tuple[Tensor, Tensor]]):
    """One row of one file at a time, the files opened once."""

    def __init__(self, folder: Path) -> None:
        self._states = [h5py.File(path)["state"] for path in sorted(folder.glob("train-*.h5"))]
        self._starts = np.cumsum([0, *(len(states) for states in self._states)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        target = torch.from_numpy(self._states[shard][row - self._starts[shard]])
        inputs = torch.zeros_like(target)
        inputs[0] = target[0]
        return inputs, target


def readers(folder: Path) -> dict[str, tuple[Reader, int | None]]:
    """Name -> shuffled full batches of one epoch, and how many samples of it are read; None is all."""
    dataset = TrajectoryDataset(folder, "train", "initial-value")
    inputs, targets = dataset[np.arange(len(dataset))]
    tensors = TensorDataset(inputs, targets)
    items, resident = H5Items(folder), ResidentDataset(dataset, "cpu")

    def raw(batch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for index in torch.randperm(len(inputs)).split(batch):
            yield inputs[index], targets[index]

    def select(batch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for index in torch.randperm(len(inputs)).split(batch):
            yield inputs.index_select(0, index), targets.index_select(0, index)

    def batch_sampler(batch: int) -> Iterator[Any]:
        sampler = BatchSampler(RandomSampler(tensors), batch, drop_last=True)
        return iter(DataLoader(tensors, sampler=sampler, batch_size=None))

    def by_item(source: Dataset[Any]) -> Reader:
        return lambda batch: iter(DataLoader(source, batch, shuffle=True, drop_last=True))

    return {
        OURS: (lambda batch: iter(make_loader(dataset, batch, shuffle=True, drop_last=True)), None),
        RESIDENT: (lambda batch: iter(make_loader(resident, batch, shuffle=True, drop_last=True)), None),
        RAW: (raw, None),
        SELECT: (select, None),
        "TensorDataset, BatchSampler as sampler": (batch_sampler, None),
        "TensorDataset, DataLoader(batch_size, shuffle)": (by_item(tensors), SLOW_SAMPLES),
        BY_ITEM: (by_item(items), SLOW_SAMPLES),
    }


def microseconds(reader: Reader, batch: int, samples: int, read: int | None) -> float:
    """Time a sample over an epoch of full batches.

    Where only a part is read, the others are taken to be like it; what comes before the first batch, with the
    shuffle of all samples, is shared among all batches of the epoch.
    """
    batches = samples // batch
    counted = batches if read is None else min(batches, read // batch)
    begin = perf_counter()
    iterator = reader(batch)
    next(iterator)
    first = perf_counter()
    for _ in islice(iterator, counted - 1):
        pass
    each = (perf_counter() - first) / (counted - 1)
    before = first - begin - each
    return (before / batches + each) / batch * 1e6


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer rows and repetitions.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to put the dataset.")
def main(quick: bool, folder: Path | None) -> None:
    where = machine("trajstore", "torch", "h5py", "numpy")
    samples = 160_000 if quick else 1_000_000
    torch.set_num_threads(1)
    rows, timed = [], {}
    with TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary)
        sizes = f"dataset.train={samples}", f"dataset.shard_rows={samples // SHARDS}"
        generate(load_config(CONFIG, (*sizes, "dataset.validation=0", "dataset.test=0")), path)
        made = readers(path)
        for batch in BATCHES:
            contenders = {
                name: lambda reader=reader, batch=batch, read=read: microseconds(reader, batch, samples, read)
                for name, (reader, read) in made.items()
            }
            timed[batch] = rounds(contenders, 3 if quick else 5)
            for name, figures in timed[batch].items():
                speed = spread(ratios(timed[batch][RAW], figures))
                rows.append([str(batch), name, spread(figures), speed])
    print(table(("batch", "reader", "microseconds a sample", "times the speed of raw indexing"), rows))
    print(f"\n{samples:,} samples. {repeated(timed[256])}")
    print(f"Whole epochs, but {SLOW_SAMPLES:,} samples of one for the two that take them one by one.\n")
    gain = {other: ratios(timed[256][other], timed[256][OURS]) for other in (RAW, SELECT, BY_ITEM)}
    fast, items = gain[RAW], gain[BY_ITEM]
    print(verdict("at least 0.7 x raw indexing, batches of 256", median(fast) >= 0.7, f"{spread(fast)} x"))
    print(
        verdict("at least 10 x h5py item by item, batches of 256", median(items) >= 10, f"{spread(items)} x")
    )
    print(f"No bar: beside index_select, the fastest way from memory, {spread(gain[SELECT])} x at 256")
    print("\n" + where)


if __name__ == "__main__":
    main()
