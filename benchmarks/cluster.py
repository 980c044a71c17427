"""What does it cost to spread the work on shards over processes or a dask cluster instead of threads?

The same `trajstore generate`, start to end, in a process of its own: by threads, by loky's processes, and by a dask
scheduler with workers of one thread each, started once, on loopback. Needs the extra `dask` and 1 GB of disk.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import click
from report import cores, figure, machine, ratios, repeated, rounds, seconds, spread, table

CONFIG = Path(__file__).parents[1] / "configs" / "van-der-pol.toml"
PATIENCE = 60.0


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[str]:
    """A scheduler and so many workers on loopback, on ports that the system chooses; the scheduler's address."""
    contact, processes = folder / "scheduler.json", []

    def start(name: str, *arguments: object) -> Path:
        log = folder / f"{name}.log"
        command = [
            sys.executable,
            "-m",
            "dask",
            *map(str, arguments),
            "--host",
            "127.0.0.1",
            "--no-dashboard",
        ]
        with log.open("w") as output:
            processes.append(
                subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
            )
        return log

    try:
        start("scheduler", "scheduler", "--port", 0, "--scheduler-file", contact)
        _wait_for(lambda: contact.exists() and bool(contact.read_text()))
        address = json.loads(contact.read_text())["address"]
        options = ("--nthreads", 1, "--no-nanny", "--local-directory", folder)
        for log in [start(f"worker-{number}", "worker", address, *options) for number in range(workers)]:
            _wait_for(lambda log=log: "Registered to" in log.read_text())
        yield address
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(condition) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        if monotonic() > deadline:
            raise SystemExit("the cluster did not start")
        sleep(0.05)


class EndToEnd:
    """`trajstore generate` of so many rows in so many shards into a new folder, which goes when it is timed."""

    def __init__(self, rows: int, shards: int, folder: Path, *options: str) -> None:
        self._rows, self._shards, self._folder, self._options = rows, shards, folder, options
        self.identity = ""

    def __call__(self) -> float:
        settings = (
            f"dataset.train={self._rows}",
            "dataset.validation=0",
            "dataset.test=0",
            f"dataset.shard_rows={-(-self._rows // self._shards)}",
        )
        with TemporaryDirectory(dir=self._folder) as temporary:
            out = Path(temporary) / "dataset"
            command = [sys.executable, "-m", "trajstore.pipeline", "generate", str(CONFIG), "--out", str(out)]
            command += [*self._options, *(part for setting in settings for part in ("--set", setting))]
            taken = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
            self.identity = json.loads((out / "manifest.json").read_text())["id"]
        return taken


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer rows and repetitions.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to put the datasets.")
@click.option("--workers", type=int, default=cores(), help="For each backend; one a core if left out.")
@click.option("--shards", type=int, default=16)
def main(quick: bool, folder: Path | None, workers: int, shards: int) -> None:
    where = machine("trajstore", "heyoka", "numpy", "joblib", "distributed")
    rows = 100_000 if quick else 1_000_000
    with TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        with cluster(workers, place) as address:
            ways = {
                "threading": ("--backend", "threading", "--jobs", str(workers)),
                "loky": ("--backend", "loky", "--jobs", str(workers)),
                "dask, on loopback": ("--backend", "dask", "--scheduler", address),
            }
            whole = {name: EndToEnd(rows, shards, place, *options) for name, options in ways.items()}
            small = {f"{name}: one row": EndToEnd(1, 1, place, *options) for name, options in ways.items()}
            timed = rounds({**whole, **small}, 2 if quick else 5)
    lines = [
        [
            name,
            spread(timed[f"{name}: one row"]),
            spread(timed[name]),
            figure(rows / median(timed[name])),
            spread(ratios(timed[name], timed["threading"])),
        ]
        for name in ways
    ]
    header = ("backend", "one row, s", f"{rows:,} rows, s", "rows a second", "times threading")
    print(table(header, lines))
    identities = {contender.identity for contender in whole.values()}
    print(f"\n{workers} threads, processes or workers; {shards} shards. {repeated(timed)}")
    print(
        f"The cluster was started before. {'One id' if len(identities) == 1 else 'DIFFERENT ids'} for all three."
    )
    print("\n" + where)


if __name__ == "__main__":
    main()
