"""What does a GPU give, and where does its time go? Updates a second of three networks, by where their data lies.

Batches from a dataset that lives on the device, from the memory map, and from a plain DataLoader over tensors; the
first also compiled, with CUDA graphs (torch.compile, "reduce-overhead"); and all of it on the CPU. The networks: the
tutorial's LSTM of 20 units, one of 256, and one of 256 on the 64 points of Kuramoto's and Sivashinsky's field.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import click
import torch
from report import figure, machine, ratios, repeated, rounds, spread, table
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from trajstore.data import TrajectoryDataset, make_loader
from trajstore.data.batches.device_dataset import ResidentDataset
from trajstore.models import Model, make_model
from trajstore.pipeline import check_config, generate

Batches = Callable[[], Iterator[tuple[Tensor, Tensor]]]
OSCILLATOR, FIELD = "van der Pol", "Kuramoto-Sivashinsky, 64 points"
SYSTEMS = {
    OSCILLATOR: ({"name": "van-der-pol"}, {"duration": 10.0, "step": 0.1}),
    FIELD: ({"name": "kuramoto-sivashinsky"}, {"duration": 25.0, "step": 0.25}),
}
NETWORKS = ((OSCILLATOR, 20, 20), (OSCILLATOR, 256, 256), (FIELD, 256, 256))


class Way(NamedTuple):
    """Where batches come from, where they are learned from, and whether the update is compiled."""

    batches: Batches
    device: str
    compiled: bool = False


def ways(data: Path, batch: int, device: str) -> dict[str, Way]:
    dataset = TrajectoryDataset(data, task="forecast")
    resident, pinned = ResidentDataset(dataset, device), device != "cpu"
    tensors = TensorDataset(*dataset[torch.arange(len(dataset)).numpy()])

    def ours(source: TrajectoryDataset | ResidentDataset) -> Batches:
        return lambda: iter(make_loader(source, batch, shuffle=True, drop_last=True))

    def plain() -> Iterator[tuple[Tensor, Tensor]]:
        return iter(DataLoader(tensors, batch, shuffle=True, drop_last=True, pin_memory=pinned))

    return {
        f"on {device}, dataset there": Way(ours(resident), device),
        f"on {device}, dataset there, compiled": Way(ours(resident), device, compiled=True),
        f"on {device}, from the memory map": Way(ours(dataset), device),
        f"on {device}, plain DataLoader": Way(plain, device),
        "on cpu, from the memory map": Way(ours(dataset), "cpu"),
    }


def update_of(model: Model, compiled: bool) -> Callable[[Tensor, Tensor], None]:
    optimizer = torch.optim.Adam(model.parameters(), capturable=next(model.parameters()).is_cuda)
    loss = torch.compile(model.loss, mode="reduce-overhead") if compiled else model.loss

    def update(inputs: Tensor, targets: Tensor) -> None:
        optimizer.zero_grad()
        loss(inputs, targets).backward()
        optimizer.step()

    return update


def measure(way: Way, update: Callable[[Tensor, Tensor], None], updates: int) -> float:
    """Microseconds an update. A batch more is taken first, which is not timed."""
    taken = islice((batch for _ in iter(int, 1) for batch in way.batches()), updates + 1)
    began = 0.0
    for number, batch in enumerate(taken):
        if number == 1:
            _wait(way.device)
            began = perf_counter()
        inputs, targets = (part.to(way.device, non_blocking=True) for part in batch)
        update(inputs, targets)
    _wait(way.device)
    return 1e6 * (perf_counter() - began) / updates


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


@click.command(help=__doc__)
@click.option("--device", default="cuda", help="cpu, to see that all works.")
@click.option("--quick", is_flag=True, help="Fewer rows, updates and rounds.")
def main(device: str, quick: bool) -> None:
    if device != "cpu" and not torch.cuda.is_available():
        raise click.UsageError("no CUDA device is there; --device cpu sees whether all works")
    where = machine("trajstore", "torch")
    updates, repetitions, rows = (5, 2, 512) if quick else (200, 5, 10_000)
    lines: list[list[str]] = []
    told = ""
    with TemporaryDirectory() as temporary:
        for name, (system, grid) in SYSTEMS.items():
            sizes = {"train": rows, "validation": 0, "test": 0}
            config = check_config({"system": system, "grid": grid, "dataset": sizes}, name)
            generate(config, Path(temporary) / name)
        for name, hidden, batch in NETWORKS:
            contenders = {}
            for what, way in ways(Path(temporary) / name, batch, device).items():
                torch.manual_seed(0)
                size = next(way.batches())[0].shape[-1]
                model = make_model("lstm", size, size, hidden=hidden).to(way.device)
                update = update_of(model, way.compiled)
                contenders[what] = lambda way=way, update=update: measure(way, update, updates)
            timed = rounds(contenders, repetitions)
            told = f"{repeated(timed)} {updates} updates."
            plain = timed[f"on {device}, plain DataLoader"]
            for what, times in timed.items():
                beside = spread(ratios(plain, times))
                lines.append([name, f"{hidden}", f"{batch}", what, spread(times), beside])
            print(f"{name}, LSTM {hidden}: {figure(median(plain))} microseconds with a plain DataLoader")
    header = (
        "data",
        "units",
        "batch",
        "what",
        "microseconds an update",
        "times as fast as a plain DataLoader",
    )
    print("\n" + table(header, lines) + f"\n\n{told}\n\n{where}")


if __name__ == "__main__":
    main()
