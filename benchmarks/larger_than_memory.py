"""Can a dataset that is several times larger than memory be trained from, how fast, and how well is it mixed?

Every reader is a process of its own in a control group whose limit of memory counts the page cache, too, and begins
with none of the dataset's pages in it. Rates are shares of what reading the files from end to end gave in the same
round. Then the same shuffles from the page cache, without a limit. Needs about 11 GB of disk, and root or a control
group of one's own.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import click
import numpy as np
from memory_group import evict, memory_group, resident
from mixing import by_block, by_row, design_effect
from report import figure, machine, ratios, repeated, rounds, spread, table, verdict
from trajstore.data import TrajectoryDataset, make_loader
from trajstore.data.batches.loader import BLOCK_ROWS
from trajstore.pipeline import generate, load_config

CONFIG = Path(__file__).parents[1] / "configs" / "van-der-pol.toml"
BATCH = 256
MB = 1_000_000
DISK, BLOCK = "the files from end to end", 'make_loader(shuffle="block")'
FULL, RANDOM = "memory map, full shuffle", "the same, MADV_RANDOM"
TRAINED_BLOCK, TRAINED_FULL = 'trajstore train, shuffle = "block"', "trajstore train, full shuffle"


class Limited:
    """Runs readers in a group with a limit of memory; the group's and the process's own peaks are kept."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self.limit = folder, limit
        self._files = sorted(folder.glob("train-*.h5"))
        self.results: dict[str, list[dict[str, Any]]] = {}
        self.enforced = True

    def __call__(self, name: str, way: str, **asked: Any) -> float:
        """Bytes of states a second, or samples a second of training."""
        evict(self._files)
        if resident(self._files) > 0.01:
            raise SystemExit("the dataset stays in the page cache; is another process reading it?")
        argument = {"way": way, "folder": str(self._folder), "batch": BATCH, **asked}
        command = [sys.executable, str(Path(__file__).with_name("cold_reads.py")), json.dumps(argument)]
        with memory_group(self.limit) as group:
            enter = None if group is None else group.enter
            done = subprocess.run(command, capture_output=True, text=True, preexec_fn=enter, check=False)
            if done.returncode:
                raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stderr}")
            result = json.loads(done.stdout)
            result["group"] = group.peak() if group else 0
            self.enforced = self.enforced and group is not None
        self.results.setdefault(name, []).append(result)
        click.echo(f"{name}: {result}", err=True)
        return result.get("bytes", result.get("samples")) / result["seconds"]

    def most(self, name: str, key: str) -> float:
        return max(result[key] for result in self.results[name])


def make(folder: Path, rows: int) -> Path:
    """van der Pol, `rows` trajectories, and a few to validate by."""
    sizes = f"dataset.train={rows}", "dataset.validation=1000", "dataset.test=0"
    # 67 MB of states: it takes longer to look at a file before its first use than to read a few megabytes.
    shard = f"dataset.shard_rows={min(400_000, rows // 16)}"
    generate(load_config(CONFIG, (*sizes, shard)), folder)
    return folder


def cold(limited: Limited, quick: bool, sizes: dict[str, int]) -> dict[str, list[float]]:
    """Rates of all readers, interleaved; then training, once."""

    def read(name: str, seconds: float, random: bool = False, **options: Any) -> Callable[[], float]:
        return lambda: limited(name, "batches", options=options, random=random, seconds=seconds)

    timed = rounds(
        {
            DISK: lambda: limited(DISK, "sequential"),
            BLOCK: read(BLOCK, 60, shuffle="block", **sizes),
            FULL: read(FULL, 1, shuffle=True),
            RANDOM: read(RANDOM, 1 if quick else 10, random=True, shuffle=True),
        },
        1 if quick else 3,
    )
    steps = 200 if quick else 10_000
    # The batches of so many steps are gathered together.
    few = BLOCK_ROWS // BATCH
    for name, settings in (
        (TRAINED_BLOCK, {"shuffle": "block", "steps": steps, "evaluate_every": steps, **sizes}),
        (TRAINED_FULL, {"steps": few, "evaluate_every": few}),
    ):
        timed[name] = [limited(name, "training", training=settings)]
    return timed


def print_cold(limited: Limited, timed: dict[str, list[float]]) -> None:
    rows = []
    for name, figures in timed.items():
        most = [figure(limited.most(name, key) / MB) for key in ("peak", "group")]
        samples = [result["samples"] / result["seconds"] for result in limited.results[name] if name != DISK]
        firsts = [result["first"] for result in limited.results[name] if "first" in result]
        waits = [100 * result["waiting"] for result in limited.results[name] if "waiting" in result]
        reading = not waits
        rows.append(
            [
                name,
                spread([rate / MB for rate in figures]) if reading else "",
                spread([100 * share for share in ratios(figures, timed[DISK])]) if reading else "",
                spread(samples) if samples else "",
                spread(firsts) if firsts else "",
                spread(waits) if waits else "",
                *most,
            ]
        )
    rates = "MB/s", "% of the disk's rate", "samples a second"
    peaks = "peak of the process, MB", "peak of the group, MB"
    print(table(("from a cold page cache", *rates, "first batch after, s", "waiting, %", *peaks), rows))


def mixing(dataset: TrajectoryDataset, sizes: dict[str, int]) -> list[list[str]]:
    """Design effects of four orders, of batches of 256."""
    samples, shard = len(dataset), dataset.store.parts[0].rows
    # Shards in random order, each shuffled: what is done where nothing better is at hand.
    generator = np.random.default_rng(0)
    shards = [np.arange(first, min(first + shard, samples)) for first in range(0, samples, shard)]
    in_shards = np.concatenate([generator.permutation(shards[n]) for n in generator.permutation(len(shards))])
    orders = {
        "full shuffle": make_loader(dataset, BATCH, shuffle=True).order(0).numpy(),
        'shuffle="block"': make_loader(dataset, BATCH, shuffle="block", **sizes).order(0).numpy(),
        "shards in random order, each shuffled": in_shards,
        "no shuffle": np.arange(samples),
    }
    bounds = dataset.block_bounds(sizes["block_bytes"])
    kinds = by_row(samples), by_block(bounds)
    return [
        [name, *(figure(design_effect(order, BATCH, values)) for values in kinds)]
        for name, order in orders.items()
    ]


def cached(folder: Path, repetitions: int) -> list[list[str]]:
    """The same orders over a dataset that lies in the page cache, without a limit."""
    dataset = TrajectoryDataset(folder, "train")

    def microseconds(options: dict[str, Any]) -> float:
        begin, samples = perf_counter(), 0
        for _, targets in make_loader(dataset, BATCH, drop_last=True, **options):
            samples += len(targets)
        return (perf_counter() - begin) / samples * 1e6

    ways: dict[str, dict[str, Any]] = {
        "full shuffle": {"shuffle": True},
        'shuffle="block"': {"shuffle": "block"},
        "no shuffle": {},
    }
    timed = rounds({name: lambda way=way: microseconds(way) for name, way in ways.items()}, repetitions)
    print(repeated(timed))
    return [
        [name, spread(figures), spread(ratios(timed["full shuffle"], figures))]
        for name, figures in timed.items()
    ]


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="A few megabytes, to see that all works.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to put the datasets.")
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True), help="A large dataset that was made before."
)
@click.option("--rows", type=click.IntRange(1), help="Trajectories, 168 bytes of states each.")
@click.option("--limit", type=click.IntRange(1), help="Of memory, in MB.")
def main(quick: bool, folder: Path | None, data: Path | None, rows: int | None, limit: int | None) -> None:
    where = machine("trajstore", "torch", "numpy")
    rows = rows or (40_000 if quick else 52_000_000)
    sizes = (
        {"block_bytes": 16 << 10, "buffer_bytes": 2 << 20}
        if quick
        else {"block_bytes": 256 << 10, "buffer_bytes": 512 << 20}
    )
    with TemporaryDirectory(dir=folder) as temporary:
        path = data or make(Path(temporary) / "large", rows)
        limited = Limited(path, (limit or 1536) * MB)
        timed = cold(limited, quick, sizes)
        print_cold(limited, timed)
        total = sum(file.stat().st_size for file in path.glob("train-*.h5"))
        bound = f"{total / MB / 1000:.3g} GB of files, memory limited to {limited.limit / MB:,.0f} MB"
        print(f"\n{bound if limited.enforced else 'NO LIMIT: this process may make no control group'}.")
        print(f"{repeated(timed)} Memory maps read but a part; training ran once.\n")
        print(
            table(
                ("order", "design effect, sorted rows", "design effect, blocks of alike rows"),
                mixing(TrajectoryDataset(path, "train"), sizes),
            )
        )
        print(f"\nBatches of {BATCH}; 1 is a uniform draw, {BATCH} no mixing at all.\n")
        small = make(Path(temporary) / "small", min(rows, 4_000_000))
        shown = cached(small, 2 if quick else 5)
        print()
        print(table(("from the page cache", "microseconds a sample", "times the full shuffle"), shown))
    share = ratios(timed[BLOCK], timed[DISK])
    waiting = [result["waiting"] for result in limited.results[TRAINED_BLOCK]]
    print()
    print(verdict("at least half of the disk's rate", median(share) >= 0.5, f"{spread(share)} x"))
    print(
        verdict(
            "training waits under 5 % of its time", median(waiting) < 0.05, f"{100 * median(waiting):.1f} %"
        )
    )
    print(
        verdict(
            "memory bounded by the buffer and 400 MB",
            limited.most(BLOCK, "peak") < 400 * MB + sizes["buffer_bytes"],
            f"{limited.most(BLOCK, 'peak') / MB:.0f} MB",
        )
    )
    print("\n" + where)


if __name__ == "__main__":
    main()
