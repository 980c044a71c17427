"""The command `trajstore`."""

import json
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ..data.errors import TrajstoreError
from .config_file import load_config

# torch is imported by the commands that need it: the others start in half the time.

PATH = click.Path(path_type=Path)
INTERRUPTED = 130


class Failure(click.ClickException):
    """A message on stderr, no traceback, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"trajstore: {self.message}", file=file or sys.stderr)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Turn what users can mend into a message and exit code 2, and an interrupt into 130."""

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except TrajstoreError as error:
            raise Failure(str(error)) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{where}{error.strerror or error}") from None
        except KeyboardInterrupt:
            click.echo("trajstore: interrupted; the same command goes on from here", err=True)
            sys.exit(INTERRUPTED)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trajstore")
def main() -> None:
    """From the equations of a dynamical system to a dataset that others can trust, and models trained on it."""
    # A polite kill ends like Ctrl-C: what was done is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


config_argument = click.argument("config", type=PATH)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Override a key of the config."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Throw away what the folder holds of another config."
)


@main.command("generate")
@config_argument
@click.option("--out", type=PATH, required=True, help="Folder of the dataset.")
@click.option("--jobs", type=click.IntRange(min=1), help="Shards worked on at once; one a core if left out.")
@overwrite_option
@set_option
@command
def generate_command(
    config: Path, out: Path, jobs: int | None, overwrite: bool, overrides: tuple[str, ...]
) -> None:
    """Integrate the system of CONFIG and store the trajectories; goes on where it was interrupted."""
    from .generate import generate
    from .report import print_summary

    console = Console(stderr=True)
    summary = generate(load_config(config, overrides), out, jobs, overwrite=overwrite, console=console)
    print_summary(console, summary)


@main.command("verify")
@click.argument("path", type=PATH)
@click.option(
    "--reintegrate",
    type=click.IntRange(min=0),
    default=0,
    metavar="K",
    help="Also integrate K rows again, with the other engine, from the equations inside.",
)
@command
def verify_command(path: Path, reintegrate: int) -> None:
    """Check a dataset or a shard: 0 if sound; 1 if not, a line a problem."""
    from ..data.verification import verify

    problems = verify(path)
    note = ""
    if reintegrate and not problems:
        from .reintegrate import reintegrate as integrate_again

        again = integrate_again(path, reintegrate)
        problems += again.problems
        note = (
            f"; {again.rows} rows integrated again by {again.engine}, largest deviation {again.largest:.1e}"
        )
    for problem in problems:
        click.echo(problem)
    if problems:
        click.echo(f"{path}: {len(problems)} problem{'s' if len(problems) > 1 else ''}{note}", err=True)
        sys.exit(1)
    click.echo(f"{path}: sound{note}")


@main.command("info")
@click.argument("path", type=PATH)
@json_option
@command
def info_command(path: Path, as_json: bool) -> None:
    """Show what a dataset, or one shard, holds."""
    from ..data.manifest import load_manifest, manifest_of_file
    from .report import dataset_facts, print_dataset

    manifest = manifest_of_file(path) if path.is_file() else load_manifest(path)
    if as_json:
        click.echo(json.dumps(dataset_facts(manifest), indent=1, ensure_ascii=False))
    else:
        print_dataset(Console(), manifest)


@main.command("systems")
@click.argument("name", required=False)
@json_option
@command
def systems_command(name: str | None, as_json: bool) -> None:
    """List the systems of the library, or show one."""
    from .report import print_system
    from .systems import LIBRARY, get_system

    if as_json:
        systems = [get_system(name)] if name else LIBRARY.values()
        facts = [{**system.to_dict(), "latex": system.latex()} for system in systems]
        click.echo(json.dumps(facts[0] if name else facts, indent=1, ensure_ascii=False))
    elif name:
        print_system(Console(), get_system(name))
    else:
        for system in LIBRARY.values():
            click.echo(f"{system.name:<20} {', '.join(system.states):<12} {system.description}")


@main.command("train")
@config_argument
@click.option("--data", type=PATH, required=True, help="Folder of the dataset.")
@click.option("--out", type=PATH, required=True, help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished run; begin if there is none.")
@overwrite_option
@set_option
@command
def train_command(
    config: Path, data: Path, out: Path, resume: bool, overwrite: bool, overrides: tuple[str, ...]
) -> None:
    """Train the model of CONFIG on a dataset."""
    experiment = load_config(config, overrides)
    from .train import train

    console = Console(stderr=True)
    try:
        now = train(experiment, data, out, resume=resume, overwrite=overwrite, console=console)
    except KeyboardInterrupt:
        click.echo(
            f"trajstore: interrupted; the same command with --resume goes on from what {out} holds", err=True
        )
        sys.exit(INTERRUPTED)
    click.echo(
        f"{now.step} steps in {now.seconds:.1f} s, {now.waiting / max(now.seconds, 1e-9):.1%} of it waiting for "
        f"data; smoothed loss {now.smoothed:.3g}; best validation MSE {now.best_validation:.3g} at step "
        f"{now.best_step}",
        err=True,
    )


@main.command("evaluate")
@click.argument("run", type=PATH)
@click.option("--data", type=PATH, help="Another dataset than the one trained on.")
@command
def evaluate_command(run: Path, data: Path | None) -> None:
    """Judge a trained run on its test split; writes RUN/metrics.json."""
    from .evaluate import evaluate
    from .report import print_metrics

    console = Console(stderr=True)
    print_metrics(console, evaluate(run, data, console))


@main.command("plot")
@click.argument("run", type=PATH)
@command
def plot_command(run: Path) -> None:
    """Draw the figures of an evaluated run; writes RUN/figures/*.png."""
    from .plot import plot

    plot(run, Console(stderr=True))
