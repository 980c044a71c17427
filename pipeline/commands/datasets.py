"""Commands that make and look at datasets: generate, verify, info, systems."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from ..config_file import load_config
from .common import PATH, command, config_argument, json_option, overwrite_option, set_option

# Of a system with more, `systems` shows how many there are.
SHOWN_STATES = 4


@click.command("generate")
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
    from ..generate import generate
    from ..report import print_summary

    console = Console(stderr=True)
    summary = generate(load_config(config, overrides), out, jobs, overwrite=overwrite, console=console)
    print_summary(console, summary)


@click.command("verify")
@click.argument("path", type=PATH)
@click.option(
    "--reintegrate",
    type=click.IntRange(min=0),
    default=0,
    metavar="K",
    help="Also integrate K rows again, with the other engine, from the equations inside.",
)
@click.option(
    "--repair",
    "wants_repair",
    is_flag=True,
    help="First write manifest.json and SHA256SUMS again from the shards, where they are lost or damaged.",
)
@command
def verify_command(path: Path, reintegrate: int, wants_repair: bool) -> None:
    """Check a dataset or a shard: 0 if sound; 1 if not, a line a problem.

    Files are read in a process of their own, so that one made to crash or hang the HDF5 library is only a problem.
    """
    if wants_repair:
        from ..repair import repair

        written = " and ".join(repair(path, isolated=True))
        click.echo(f"{path}: {written} written from the shards" if written else f"{path}: nothing to repair")

    problems = _verify_with_progress(path)
    note = ""
    if reintegrate and not problems:
        from ..reintegrate import reintegrate as integrate_again

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


def _verify_with_progress(path: Path) -> list[str]:
    from rich.progress import Progress

    from ...data.manifest import load_manifest
    from ...data.verification import verify
    from ..progress import columns

    shards = len(load_manifest(path).shards) if path.is_dir() else 1
    console = Console(stderr=True)
    bar = Progress(*columns("shards"), console=console, transient=True, disable=not console.is_terminal)
    with bar as progress:
        task = progress.add_task("verify", total=shards)
        return verify(path, lambda done: progress.update(task, completed=done), isolated=True)


@click.command("info")
@click.argument("path", type=PATH)
@json_option
@command
def info_command(path: Path, as_json: bool) -> None:
    """Show what a dataset, or one shard, holds."""
    from ...data.isolation import IsolatedReader
    from ...data.manifest import Manifest, load_manifest
    from ..report import dataset_facts, print_dataset

    if path.is_file():
        with IsolatedReader() as reader:
            manifest = Manifest.model_validate(reader("manifest", path))
    else:
        manifest = load_manifest(path)
    if as_json:
        click.echo(json.dumps(dataset_facts(manifest), indent=1, ensure_ascii=False))
    else:
        print_dataset(Console(), manifest)


@click.command("systems")
@click.argument("name", required=False)
@json_option
@command
def systems_command(name: str | None, as_json: bool) -> None:
    """List the systems of the library, or show one."""
    from ..report import print_system
    from ..systems import LIBRARY, get_system

    if as_json:
        systems = [get_system(name)] if name else LIBRARY.values()
        facts = [{**system.to_dict(), "latex": system.latex()} for system in systems]
        click.echo(json.dumps(facts[0] if name else facts, indent=1, ensure_ascii=False))
    elif name:
        print_system(Console(), get_system(name))
    else:
        for system in LIBRARY.values():
            few = (
                ", ".join(system.states)
                if len(system.states) <= SHOWN_STATES
                else f"{len(system.states)} states"
            )
            click.echo(f"{system.name:<22} {few:<16} {system.description}")
