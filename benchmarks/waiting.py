"""What do commands cost before they do their work, and what does it cost to verify?

CPU seconds of commands on the quick dataset and a run of it; seconds of `verify` for a million rows beside
`sha256sum`, which alone tells nothing of the numbers, warm and after the files were dropped from the page cache.
`--beside` times another installation of trajstore in the same rounds.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
from report import figure, machine, ratios, repeated, rounds, seconds, spent, spread, table, verdict

CONFIG = Path(__file__).parents[1] / "configs" / "quick.toml"
AIMS = {"--help": 0.1, "info": 0.6, "verify": 0.6, "plot": 2.0, "evaluate": 2.0}


def trajstore(python: str, *arguments: object) -> float:
    """CPU seconds, of the command and of its children."""
    return spent([python, "-m", "trajstore.pipeline", *map(str, arguments)]).cpu


def commands(folder: Path) -> dict[str, tuple[object, ...]]:
    return {
        "--help": ("--help",),
        "info": ("info", folder / "quick"),
        "verify": ("verify", folder / "quick"),
        "plot": ("plot", folder / "quick", "--out", folder / "figures"),
        "evaluate": ("evaluate", folder / "run"),
    }


def verifications(pythons: dict[str, str], dataset: Path) -> dict[str, Callable[[], float]]:
    """Wall-clock seconds, by what is timed."""
    shards = sorted(map(str, dataset.glob("*.h5")))

    def hashed() -> float:
        return seconds(lambda: subprocess.run(["sha256sum", *shards], check=True, capture_output=True))

    def cold(work: Callable[[], float]) -> float:
        for shard in shards:
            with Path(shard).open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return work()

    timed: dict[str, Callable[[], float]] = {"sha256sum": hashed}
    for name, python in pythons.items():
        timed[f"verify{name}"] = lambda python=python: seconds(lambda: trajstore(python, "verify", dataset))
    return timed | {f"{name}, cold": lambda work=work: cold(work) for name, work in timed.items()}


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer rows and repetitions.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to put the datasets.")
@click.option("--beside", metavar="PYTHON", help="The Python of another installation.")
def main(quick: bool, folder: Path | None, beside: str | None) -> None:
    where = machine("trajstore", "torch", "sympy", "scipy", "matplotlib", "h5py")
    pythons = {"": sys.executable} | ({", the other": beside} if beside else {})
    repetitions = 3 if quick else 7
    with TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        rows = 100_000 if quick else 1_000_000
        trajstore(sys.executable, "generate", CONFIG, "--out", place / "quick")
        trajstore(sys.executable, "train", CONFIG, "--data", place / "quick", "--out", place / "run")
        large = ("--out", place / "large", "--set", f"dataset.train={rows}")
        trajstore(sys.executable, "generate", CONFIG, *large)
        megabytes = sum(file.stat().st_size for file in (place / "large").glob("*.h5")) / 1e6
        starts = {
            name + other: lambda python=python, given=given: trajstore(python, *given)
            for name, given in commands(place).items()
            for other, python in pythons.items()
        }
        started = rounds(starts, repetitions)
        verified = rounds(verifications(pythons, place / "large"), repetitions)
    print(table(("command", "CPU seconds"), [[name, spread(times)] for name, times in started.items()]))
    beside_hashes = {
        name: ratios(times, verified["sha256sum, cold" if name.endswith("cold") else "sha256sum"])
        for name, times in verified.items()
    }
    print(f"\n{megabytes:.0f} MB in shards:\n")
    header = ("what", "seconds", "times sha256sum")
    print(table(header, [[name, spread(verified[name]), spread(beside_hashes[name])] for name in verified]))
    print(f"\n{repeated(verified)}\n")
    for name, aim in AIMS.items():
        spent = median(started[name])
        print(verdict(f"{name} in at most {aim:g} CPU s", spent <= aim, f"{figure(spent)} s"))
    for name in ("verify", "verify, cold"):
        times = beside_hashes[name]
        print(verdict(f"{name}: at most 2 x sha256sum", median(times) <= 2, f"{spread(times)} x"))
    print("\n" + where)


if __name__ == "__main__":
    main()
