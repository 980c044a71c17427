"""Commands that learn from datasets: train, evaluate, plot."""

import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...data.base.errors import TrajstoreError
from ..describe.phrases import percentage
from ..runtime.interrupts import end_deaf
from .common import (
    DATASET,
    INTERRUPTED,
    PATH,
    Failure,
    check_is_there,
    command,
    config_argument,
    json_option,
    new_console,
    overwrite_option,
    print_json,
    set_option,
    trust_option,
)

if TYPE_CHECKING:
    from ..learn.ranks import Ranks
    from ..runs.standing import Standing


@click.command("train")
@config_argument
@click.option("--data", type=PATH, required=True, help="Folder of the dataset.")
@click.option("--out", type=PATH, required=True, help="Folder of the run.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with an unfinished run, or one that was asked for fewer steps or minutes; begin if there is none.",
)
@click.option(
    "--restart-schedule",
    is_flag=True,
    help="With --resume, where more steps would need another schedule from the first one on: begin it anew over the "
    "steps that are left, the refinement after it.",
)
@overwrite_option
@set_option
@command
def train_command(
    config: Path,
    data: Path,
    out: Path,
    resume: bool,
    restart_schedule: bool,
    overwrite: bool,
    overrides: tuple[str, ...],
) -> None:
    """Train the model of CONFIG on a dataset. Under torchrun several processes share each batch.

    Whatever stops it leaves RUN/best.pt, which evaluate and plot take.
    """
    from ..config.file import load_learning

    _wait_asleep()
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    # Of several processes, one on each machine: they come to the same end for the same reason.
    tells = not several or os.environ.get("LOCAL_RANK", "0") == "0"
    try:
        with _together(several) as ranks:
            before = signal.signal(signal.SIGTERM, signal.SIG_IGN) if several else None
            learning = load_learning(config, overrides)
            if several:
                signal.signal(signal.SIGTERM, before)
            from ..learn.train import train

            console = new_console()
            now = train(
                learning,
                data,
                out,
                resume=resume,
                restart_schedule=restart_schedule,
                overwrite=overwrite,
                console=console,
                ranks=ranks,
            )
    except (KeyboardInterrupt, TrajstoreError, OSError) as error:
        if several:
            # When one process ends, torchrun ends the others. This one is about to end by itself.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        interrupted = isinstance(error, KeyboardInterrupt)
        if interrupted:
            end_deaf()
        if tells and not interrupted:
            raise
        if tells:
            click.echo(
                f"trajstore: interrupted; the same command with --resume goes on from what {out} holds",
                err=True,
            )
        sys.exit(INTERRUPTED if interrupted else Failure.exit_code)
    if tells:
        click.echo(_told(now, learning.training.select), err=True)


def _wait_asleep() -> None:
    """torch's threads wait for each other asleep: spinning, they take the cores from those that they wait for."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _told(now: "Standing", select: str | None) -> str:
    """What came of a training whose weights were chosen by the metric `select`, or by their error."""
    from ..runs.standing import ending

    units = "" if now.loss_units == "raw" else f" ({now.loss_units})"
    waiting = percentage(now.waiting, now.seconds)
    said = [f"{now.step} steps in {now.seconds:.1f} s, {waiting} of it waiting for data"]
    if math.isfinite(now.smoothed):
        said.append(f"smoothed loss {now.smoothed:.3g}{units}")
    if math.isfinite(now.best_validation):
        mse = f"validation MSE {now.best_validation:.3g}"
        best = mse if math.isnan(now.best_selected) else f"{select} {now.best_selected:.3g}, {mse}"
        said.append(f"best {best} at step {now.best_step}")
    return "; ".join([*said, *filter(None, [ending(now.summary())])])


@contextmanager
def _together(several: bool) -> Iterator["Ranks | None"]:
    """Of several processes, wait for each other before the config is read: a mistake in it then ends each by itself.

    Else torchrun would end those that are still being loaded, when the first has failed.
    """
    if not several:
        yield None
        return
    from ..learn.ranks import joined

    with joined() as ranks:
        ranks.wait()
        yield ranks


@click.command("evaluate")
@click.argument("run", type=PATH, required=False)
@click.option("--data", type=PATH, help="Another dataset than the one trained on; that of --predictions.")
@click.option(
    "--predictions",
    type=PATH,
    metavar="FILE.npz",
    help="In the place of RUN, arrays that another program made: `predictions` (N, T, D) in raw units, and, unless "
    "these are all rows from their first point on, `rows` (N,) and `first`, the index of the first predicted point.",
)
@click.option(
    "--out",
    type=PATH,
    help="Folder of what is written, in the place of RUN's own; of --predictions, with their figures.",
)
@overwrite_option
@set_option
@trust_option
@json_option
@command
def evaluate_command(
    run: Path | None,
    data: Path | None,
    predictions: Path | None,
    out: Path | None,
    overwrite: bool,
    overrides: tuple[str, ...],
    trust_code: bool,
    as_json: bool,
) -> None:
    """Judge a trained run on its test split; writes RUN/metrics.json, and prints a table, or with --json the same.

    With --data DIR it is judged on the test split of another dataset, beside baselines that are fitted on what the
    run was trained on; --out keeps RUN/metrics.json as it is.

    --set overrides keys of [evaluation], as in --set 'evaluation.metrics=["d_stsp", "d_h"]'.

    With --predictions FILE.npz --data DIR --out DIR, judge predictions that another program made.
    """
    _wait_asleep()
    from .printing_metrics import print_metrics

    if predictions is None:
        if run is None:
            raise click.UsageError(
                "got no RUN; expected the folder of a run, or --predictions FILE.npz --data DIR --out DIR"
            )
        if overwrite and out is None:
            raise click.UsageError("--overwrite throws away what --out DIR holds, and goes with it alone")
        from ..judge.evaluate import evaluate

        metrics = evaluate(
            run,
            data,
            new_console(),
            trust_code=trust_code,
            overrides=overrides,
            out=out,
            overwrite=overwrite,
        )
    else:
        if run is not None or data is None or out is None:
            raise click.UsageError("--predictions goes with --data DIR and --out DIR, and without RUN")
        from ..draw.run_figures.plot import plot
        from ..judge.evaluate_predictions import evaluate_predictions

        metrics = evaluate_predictions(
            predictions, data, out, new_console(), overwrite=overwrite, overrides=overrides
        )
        plot(out, new_console())
    if as_json:
        print_json(metrics)
    else:
        print_metrics(new_console(stderr=False), metrics)


@click.command("plot")
@click.argument("path", type=DATASET)
@click.option("--out", type=PATH, help="Folder of the figures; RUN/figures or DATASET-figures if left out.")
@trust_option
@command
def plot_command(path: Path | str, out: Path | None, trust_code: bool) -> None:
    """Draw the figures of an evaluated run, or of a dataset or shard, also by its address, https:// or hf://."""
    from ...data.folder.names import holds_dataset

    if isinstance(path, str):
        if out is None:
            raise click.UsageError("a dataset that lies elsewhere has no folder beside it; say --out DIR.")
        from ..draw.dataset import plot_dataset

        plot_dataset(path, out, new_console())
        return
    check_is_there(path)
    if path.is_file() or holds_dataset(path):
        from ..draw.dataset import plot_dataset

        plot_dataset(path, out, new_console())
    else:
        from ..draw.run_figures.plot import plot

        plot(path, new_console(), out, trust_code=trust_code)
