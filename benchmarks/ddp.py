"""What do two processes under torchrun give, with the same global batch, and is their curve that of one?

`trajstore train` as one process, with its own number of threads and with one, beside two processes that share the
cores. The seconds are those between the first and the last entry of a run's curve: starting up is not in them.
"""

import os
import subprocess
import sys
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import click
from report import machine, ratios, repeated, rounds, spread, table
from trajstore.pipeline import generate, load_config
from trajstore.pipeline.runs.curve import read_curve

CONFIG = Path(__file__).parents[1] / "configs" / "van-der-pol.toml"
PLAIN = "model.encoder=[]", "refinement.steps=0", "training.evaluate_every=1000000"
# Steps, and what they are steps of.
WORK = {
    "SGD, LSTM of 20, batches of 20": (
        500,
        (*PLAIN, "model.hidden=20", "training.optimizer=sgd", "training.batch=20", "training.clip=1e9"),
    ),
    "Adam, LSTM of 20, batches of 256": (500, (*PLAIN, "model.hidden=20", "training.batch=256")),
    "Adam, LSTM of 128, batches of 1024": (
        30,
        (*PLAIN, "model.hidden=128", "training.batch=1024", "training.learning_rate=1e-3"),
    ),
    "Levenberg-Marquardt, 1778 parameters, batches of 4096": (
        12,
        ("training.steps=10", "refinement.evaluate_every=4"),
    ),
}
ALONE, SINGLE, TWO = "one process", "one process, one thread", "two processes"
LAUNCHERS = {
    ALONE: ((), ()),
    SINGLE: ((), ("training.threads=1",)),
    TWO: (("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"), ()),
}


def train(launcher: tuple[str, ...], options: tuple[str, ...], data: Path, run: Path) -> None:
    """Train anew into a folder, by a process, or more, of their own."""
    rmtree(run, ignore_errors=True)
    command = [sys.executable, *launcher, "-m", "trajstore.pipeline", "train", str(CONFIG)]
    command += ["--data", str(data), "--out", str(run), "--set", "training.device=cpu"]
    for option in options:
        command += ["--set", option]
    # torchrun would allow each process one thread; trajstore chooses by itself.
    environment = {"OMP_NUM_THREADS": str(os.cpu_count()), **os.environ}
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)


def milliseconds(run: Path) -> float:
    """Of a step, from the first entry of the last phase to its last."""
    curve = list(read_curve(run))
    rows = [row for row in curve if row["phase"] == curve[-1]["phase"]]
    return 1e3 * (rows[-1]["seconds"] - rows[0]["seconds"]) / (rows[-1]["step"] - rows[0]["step"])


def differences(left: Path, right: Path) -> tuple[str, str, str]:
    """Largest difference of two curves' losses: in the first 100 steps, in all, and there in parts of the loss."""
    pairs = list(zip(read_curve(left), read_curve(right), strict=True))
    early = max(abs(one["loss"] - two["loss"]) for one, two in pairs if one["step"] <= 100)
    whole = max(abs(one["loss"] - two["loss"]) for one, two in pairs)
    relative = max(abs(one["loss"] - two["loss"]) / one["loss"] for one, two in pairs)
    return f"{early:.1e}", f"{whole:.1e}", f"{relative:.1e}"


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer steps and repetitions.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="For the dataset and the runs.")
def main(quick: bool, folder: Path | None) -> None:
    where = machine("trajstore", "torch", "numpy")
    rows, timed = [], {}
    with TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        data = place / "data"
        generate(load_config(CONFIG, ("dataset.validation=1000", "dataset.test=0")), data)
        for work, (full, options) in WORK.items():
            steps = max(12, full // 10) if quick else full
            section = "refinement" if work.startswith("Lev") else "training"
            options = (*options, f"{section}.steps={steps}")

            def measure(name: str, options: tuple[str, ...] = options) -> float:
                launcher, more = LAUNCHERS[name]
                train(launcher, (*options, *more), data, place / name)
                return milliseconds(place / name)

            timed[work] = rounds(
                {name: lambda name=name: measure(name) for name in LAUNCHERS}, 1 if quick else 3
            )
            for name, figures in timed[work].items():
                gain = spread(ratios(timed[work][ALONE], figures))
                rows.append([work, name, spread(figures), gain, *differences(place / ALONE, place / name)])
    units = (
        "milliseconds a step",
        "times as fast as one process",
        "loss differs by, 100 steps",
        "all steps",
        "relative",
    )
    print(table(("steps", "by", *units), rows))
    print(f"\n{repeated(timed[work])} The differences are the largest, of the last round.")
    print("\n" + where)


if __name__ == "__main__":
    main()
