"""What does it save to train from disk, instead of integrating each batch when it is needed?

The tutorial's 2000 steps on batches of 20: `trajstore train` with configs/tutorial.toml, beside the classic
script, which integrates 20 trajectories, resamples them and takes a step of the same network. Both use one
thread of torch, and neither validates.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import click
import numpy as np
import torch
from peers import van_der_pol
from report import cores, machine, ratios, repeated, rounds, seconds, spread, table, verdict
from scipy.integrate import solve_ivp
from torch import Tensor, nn
from trajstore.pipeline import Experiment, generate, load_config, train

CONFIG = Path(__file__).parents[1] / "configs" / "tutorial.toml"
BATCH, HIDDEN, RATE = 20, 20, 0.05
TIMES = np.linspace(0.0, 2.0, 21)
HEYOKA = 'engine={name="heyoka"}', "grid.resample=dense"
CLASSIC, DISK = "classic script: integrate, then step", "trajstore: train from disk"
MADE, FAST = "trajstore: make the dataset with SciPy, once", "trajstore: make one with heyoka, and train"


@dataclass
class Found:
    """Round by round, the share of a contender's training that it waited for data, and its smoothed loss."""

    waiting: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)

    def add(self, waiting: float, loss: float) -> None:
        self.waiting.append(waiting)
        self.loss.append(loss)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, HIDDEN, batch_first=True)
        self.linear = nn.Linear(HIDDEN, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.linear(self.lstm(inputs)[0])


def batch_on_the_fly(generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """20 trajectories from random initial states: x(0) and zeros, and the values on the grid."""
    targets = np.empty((BATCH, len(TIMES), 2), dtype=np.float32)
    for row in targets:
        path = solve_ivp(van_der_pol, (0.0, 2.0), generator.uniform(-5.0, 5.0, 2), max_step=0.1)
        row[:, 0] = np.interp(TIMES, path.t, path.y[0])
        row[:, 1] = np.interp(TIMES, path.t, path.y[1])
    inputs = np.zeros_like(targets)
    inputs[:, 0] = targets[:, 0]
    return torch.from_numpy(inputs), torch.from_numpy(targets)


def classic(steps: int, found: Found) -> float:
    """Seconds of the classic script."""
    begin = perf_counter()
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    network = Network()
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    waiting = 0.0
    smoothed = None
    for _ in range(steps):
        before = perf_counter()
        inputs, targets = batch_on_the_fly(generator)
        waiting += perf_counter() - before
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(inputs), targets)
        loss.backward()
        optimizer.step()
        smoothed = loss.item() if smoothed is None else 0.9 * smoothed + 0.1 * loss.item()
    total = perf_counter() - begin
    found.add(waiting / total, smoothed or math.nan)
    return total


def from_disk(config: Experiment, data: Path, runs: Path, found: Found) -> float:
    """Seconds of trajstore's own training, from opening the dataset to the last checkpoint."""
    with TemporaryDirectory(dir=runs) as run:
        begin = perf_counter()
        standing = train(config, data, Path(run))
        total = perf_counter() - begin
    found.add(standing.waiting / total, standing.smoothed)
    return total


def generated(config: Experiment, data: Path) -> float:
    """Seconds to make the dataset anew."""
    rmtree(data, ignore_errors=True)
    return seconds(lambda: generate(config, data))


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer steps and repetitions.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="For datasets and runs.")
def main(quick: bool, folder: Path | None) -> None:
    where = machine("trajstore", "torch", "scipy", "numpy", "heyoka", "h5py")
    steps = 200 if quick else 2000
    options = [f"dataset.train={steps * BATCH}", "dataset.validation=0", "dataset.test=0"]
    options += [f"training.steps={steps}", "training.threads=1", "training.device=cpu"]
    config = load_config(CONFIG, tuple(options))
    fast_config = load_config(CONFIG, (*options, *HEYOKA))
    torch.set_num_threads(1)
    found = {CLASSIC: Found(), DISK: Found(), FAST: Found()}
    with TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        data, fast_data = place / "scipy", place / "heyoka"
        contenders = {
            CLASSIC: lambda: classic(steps, found[CLASSIC]),
            MADE: lambda: generated(config, data),
            DISK: lambda: from_disk(config, data, place, found[DISK]),
            FAST: lambda: (
                generated(fast_config, fast_data) + from_disk(fast_config, fast_data, place, found[FAST])
            ),
        }
        timed = rounds(contenders, 2 if quick else 3)
    rows = []
    for name, figures in timed.items():
        told = found.get(name, Found())
        waiting = spread([100 * share for share in told.waiting]) if told.waiting else ""
        loss = spread(told.loss) if told.loss else ""
        rows.append([name, spread(figures), spread(ratios(timed[CLASSIC], figures)), waiting, loss])
    units = (
        "seconds",
        "times as fast as the classic script",
        "waiting for data, %",
        "smoothed loss at the end",
    )
    print(table(("what", *units), rows))
    print(f"\n{steps} steps. {repeated(timed)}")
    print(f"Datasets of {steps * BATCH:,} rows are made on {cores()} cores, the rest takes one.\n")
    gain = ratios(timed[CLASSIC], timed[DISK])
    print(verdict("training from disk at least 8 x as fast", median(gain) >= 8, f"{spread(gain)} x"))
    share = median(found[DISK].waiting)
    print(verdict("waiting for data under 5 % of its time", share < 0.05, f"{share:.1%}"))
    print("\n" + where)


if __name__ == "__main__":
    main()
