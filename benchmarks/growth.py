"""What grows faster than the data? Time and memory of each command, one axis at a time.

Rows of van der Pol's oscillator at 100 points, points at 100 rows, and components, of the field of Kuramoto and
Sivashinsky, at 100 points: each dataset is made, verified, trained from for a fixed number of steps on windows of 100
points, and its run evaluated, each in a process of its own. An exponent is fitted to what was above start-up: 1 is as
the data, 0 does not grow. The largest dataset of `--full` takes 4 GB of disk.
"""

from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import click
import numpy as np
from report import Spent, figure, machine, table, trajstore, verdict

POINTS, STEPS = 100, 200
SIZES = {
    "rows": {
        "quick": (1_000, 10_000, 100_000),
        "usual": (1_000, 10_000, 100_000, 1_000_000),
        "full": (1_000, 10_000, 100_000, 1_000_000, 5_000_000),
    },
    "points": {
        "quick": (100, 1_000, 10_000),
        "usual": (100, 1_000, 10_000, 100_000),
        "full": (100, 1_000, 10_000, 100_000, 1_000_000),
    },
    "components": {"quick": (16, 64, 256), "usual": (16, 64, 256, 1_000), "full": (16, 64, 256, 1_000)},
}
ROWS_OF_FIELDS = {"quick": 100, "usual": 1_000, "full": 10_000}
COMMANDS = ("generate", "verify", "train", "evaluate")
OSCILLATOR = 'system = { name = "van-der-pol" }\n'
FIELD = 'system = {{ name = "kuramoto-sivashinsky", size = {} }}\n'
CONFIG = """grid = {{ duration = {duration!r}, step = {step!r} }}
dataset = {{ train = {rows}, validation = 10, test = 10, dtype = "float32" }}
task = {{ name = "forecast", window = {points} }}
model = {{ name = "lstm", hidden = 20 }}
training = {{ steps = {steps}, evaluate_every = {steps} }}
evaluation = {{ baselines = ["persistence"], rollouts = 8, rollout_lengths = 1 }}
"""
# What takes so much longer than start-up tells how it grows.
ABOVE = 1.0
# An exponent within this of 1 is that of the data.
TOLERANCE = 0.15


def config_of(axis: str, size: int, rows_of_fields: int) -> str:
    field = axis == "components"
    rows = {"rows": size, "points": 100, "components": rows_of_fields}[axis]
    points, step = size if axis == "points" else POINTS, 0.05 if field else 0.1
    sections = FIELD.format(size) if field else OSCILLATOR
    return sections + CONFIG.format(
        rows=rows, duration=step * (points - 1), step=step, points=POINTS, steps=STEPS
    )


def measured(config: str, folder: Path) -> tuple[dict[str, Spent], int]:
    """What each command took, and the bytes of the shards."""
    file, data, run = folder / "config.toml", folder / "dataset", folder / "run"
    file.write_text(config, encoding="utf-8")
    arguments = {
        "generate": (file, "--out", data),
        "verify": (data,),
        "train": (file, "--data", data, "--out", run),
        "evaluate": (run,),
    }
    taken = {command: trajstore(command, *arguments[command]) for command in COMMANDS}
    size = sum(shard.stat().st_size for shard in data.glob("*.h5"))
    rmtree(data)
    rmtree(run)
    return taken, size


def exponent(sizes: list[int], amounts: list[float], above: float) -> float:
    """Of the growth of what is beyond the least amount, where that is much; NaN if it never is."""
    least = min(amounts)
    much = [
        (size, amount - least) for size, amount in zip(sizes, amounts, strict=True) if amount - least > above
    ]
    if len(much) < 2:
        return float("nan")
    x, y = np.log(np.array(much, dtype=float)).T
    return float(np.polyfit(x, y, 1)[0])


@click.command(help=__doc__)
@click.option("--quick", "extent", flag_value="quick", help="To 100 000 rows, 10 000 points, 256 components.")
@click.option(
    "--full", "extent", flag_value="full", help="To 5 000 000 rows, 1 000 000 points, 1000 components."
)
@click.option("--axis", "axes", multiple=True, type=click.Choice(list(SIZES)), help="Only this one.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to put the datasets.")
def main(extent: str | None, axes: tuple[str, ...], folder: Path | None) -> None:
    extent = extent or "usual"
    where = machine("trajstore", "torch", "numpy", "h5py", "heyoka")
    findings = []
    for axis in axes or SIZES:
        sizes, megabytes, lines = SIZES[axis][extent], [], []
        amounts: dict[str, list[Spent]] = {command: [] for command in COMMANDS}
        for size in sizes:
            with TemporaryDirectory(dir=folder) as temporary:
                taken, stored = measured(config_of(axis, size, ROWS_OF_FIELDS[extent]), Path(temporary))
            megabytes.append(stored / 1e6)
            for command, each in taken.items():
                amounts[command].append(each)
            cells = [f"{figure(each.seconds)} s, {each.bytes / 1e6:.0f} MB" for each in taken.values()]
            lines.append([f"{size:,}", figure(stored / 1e6), *cells])
        grown = []
        for command, each in amounts.items():
            time = exponent([*sizes], [one.seconds for one in each], ABOVE)
            memory = exponent([*sizes], [one.bytes / 1e6 for one in each], 100.0)
            grown.append(" ".join("-" if np.isnan(power) else f"{power:.2f}" for power in (time, memory)))
            met = all(np.isnan(power) or power <= 1 + TOLERANCE for power in (time, memory))
            findings.append(verdict(f"{command} grows no faster than {axis}", met, f"exponents {grown[-1]}"))
        lines.append(["exponents", "", *grown])
        print(table((axis, "MB on disk", *COMMANDS), lines) + "\n")
    print(
        "Seconds and peak memory of each command, once; exponents of the two, '-' where they do not grow.\n"
    )
    print("\n".join(findings) + "\n\n" + where)


if __name__ == "__main__":
    main()
