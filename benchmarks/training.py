"""How soon is the default task learned how well? Ours, the same network with Adam alone, and with torch's L-BFGS.

Each trains from the same dataset until its steps are done, which takes about as long for each, and tells by its curve
when the error on the validation split first was below a bar. L-BFGS (`lbfgs.py`) sees all rows in each of its steps.

"""

from pathlib import Path
from tempfile import TemporaryDirectory

import click
from report import figure, machine, table, trajstore, verdict
from trajstore.pipeline import read_curve

HERE = Path(__file__).parent
CONFIG = HERE.parent / "configs" / "van-der-pol.toml"
BARS = (1e-4, 1e-6, 1e-7)
OURS = "trajstore: Adam, then Levenberg-Marquardt"
# Of Adam, so that it takes about as long as ours.
LONG = 80_000


def learned(data: Path, run: Path, seed: int, settings: dict[str, object]) -> list[tuple[float, float]]:
    """Seconds and validation error along a training."""
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    trajstore(
        "train",
        CONFIG,
        "--data",
        data,
        "--out",
        run,
        "--set",
        f"training.seed={seed}",
        *options,
    )
    lines = [line for line in read_curve(run) if "validation_mse" in line]
    return [(line["seconds"], line["validation_mse"]) for line in lines]


def reached(curve: list[tuple[float, float]], bar: float) -> float | None:
    return next((seconds for seconds, error in curve if error <= bar), None)


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Few steps: to see that all works.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to put dataset and runs.")
@click.option("--seeds", default=1, help="So many trainings of each.")
def main(quick: bool, folder: Path | None, seeds: int) -> None:
    where = machine("trajstore", "torch", "numpy")
    rows = 5_000 if quick else 100_000
    share = 0.02 if quick else 1.0
    often: dict[str, object] = {"training.evaluate_every": 100, "refinement.evaluate_every": 5}
    lbfgs = f'{{ name = "{HERE / "lbfgs.py"}:Lbfgs" }}'
    contenders: dict[str, dict[str, object]] = {
        OURS: often | {"training.steps": int(6_000 * share), "refinement.steps": int(400 * share)},
        "the same network, Adam alone": {
            "training.steps": int(LONG * share),
            "training.evaluate_every": 200,
            "refinement.steps": 0,
        },
        "the same network, torch's L-BFGS": {
            "training.learner": lbfgs,
            "training.batch": rows,
            "training.steps": max(1, int(8 * share)),
            "training.evaluate_every": 1,
            "refinement.steps": 0,
        },
    }
    lines, best = [], {}
    with TemporaryDirectory(dir=folder) as temporary:
        data = Path(temporary) / "dataset"
        trajstore("generate", CONFIG, "--out", data, "--set", f"dataset.train={rows}")
        for name, settings in contenders.items():
            for seed in range(seeds):
                curve = learned(data, Path(temporary) / f"{len(lines)}", seed, settings)
                times = [reached(curve, bar) for bar in BARS]
                best.setdefault(name, times)
                lowest = min(error for _, error in curve)
                cells = ["never" if time is None else figure(time) for time in times]
                lines.append([name, f"{seed}", *cells, figure(curve[-1][0]), f"{lowest:.2g}"])
    print(table(("what", "seed", *(f"s to {bar:g}" for bar in BARS), "s in all", "least error"), lines))
    print("\nSeconds of training until the mean squared error on 10 000 validation rows was below a bar.\n")
    for place, bar in enumerate(BARS):
        ours = best[OURS][place]
        others = [times[place] for name, times in best.items() if name != OURS and times[place] is not None]
        soonest = min(filter(None, others), default=None)
        said = "never" if soonest is None else figure(soonest)
        met = ours is not None and (soonest is None or soonest >= 2 * ours)
        told = f"{'never' if ours is None else figure(ours)} s beside {said}"
        print(verdict(f"{bar:g} at least twice as soon as the others", met, told))
    print("\n" + where)


if __name__ == "__main__":
    main()
