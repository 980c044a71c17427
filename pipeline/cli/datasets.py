"""Commands that make and look at datasets: generate, verify, info."""

import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...data.base.errors import printable
from ...data.remote.address import hide
from .common import (
    DATASET,
    PATH,
    command,
    config_argument,
    json_option,
    new_console,
    overwrite_option,
    print_dataset_json,
    print_json,
    resumable,
    set_option,
)

if TYPE_CHECKING:
    from ...data.base.findings import Findings
    from ..generation.local_workers import Backend


@click.command("generate")
@config_argument
@click.option("--out", type=PATH, required=True, help="Folder of the dataset.")
@click.option("--jobs", type=click.IntRange(min=1), help="Shards worked on at once; one a core if left out.")
@click.option(
    "--backend",
    type=click.Choice(["threading", "loky", "dask"]),
    help="Who works: threads or processes of this machine, or a dask cluster; what suits the engine if left out.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Of the dask cluster, as in tcp://HOST:8786; all share the folder."
)
@overwrite_option
@set_option
@json_option
@resumable
def generate_command(
    config: Path,
    out: Path,
    jobs: int | None,
    backend: "Backend | None",
    scheduler: str | None,
    overwrite: bool,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Integrate the system of CONFIG and store the trajectories; goes on where it was interrupted."""
    from ..config.file import load_experiment
    from ..generation.generate import generate
    from .printing import print_summary

    console = new_console()
    summary = generate(
        load_experiment(config, overrides),
        out,
        jobs,
        backend=backend,
        scheduler=scheduler,
        overwrite=overwrite,
        console=console,
    )
    print_summary(console, summary)
    if as_json:
        print_dataset_json(out, summary.manifest)


@click.command("verify")
@click.argument("path", type=DATASET)
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
@click.option(
    "--shards",
    metavar="A:B",
    callback=lambda _, __, text: None if text is None else _slice(text),
    help="Read only these of the manifest's shards, numbered from 0, B not among them; as a Python slice.",
)
@json_option
@command
def verify_command(
    path: Path | str, reintegrate: int, wants_repair: bool, shards: slice | None, as_json: bool
) -> None:
    """Check a dataset or a shard: 0 if sound; 1 if not, a line a problem; 2 if it cannot be checked, for there is
    no manifest, or none that can be read.

    Files are read in a process of their own, so that one made to crash or hang the HDF5 library is only a problem;
    those of an address, https:// or hf://, from the cache.
    """
    shown = printable(hide(path) if isinstance(path, str) else str(path))
    if wants_repair and (shards is not None or isinstance(path, str)):
        raise click.UsageError("--repair reads all of a folder's shards; leave out --shards, or fetch first.")
    from ...data.folder.remote_folder import dataset_path

    path = dataset_path(path)
    facts: dict[str, Any] = {}
    if wants_repair:
        from ..audit.repair import repair

        facts["repaired"] = repair(path, isolated=True)
        written = " and ".join(facts["repaired"])
        click.echo(
            f"{shown}: {written} written from the shards" if written else f"{shown}: nothing to repair",
            err=as_json,
        )

    found, total = _verify_with_progress(path, shards)
    problems, remark = found.problems, ""
    if shards is not None:
        first, last, _ = shards.indices(total)
        remark = (
            f"; of {total:,} shards, {first} to {last - 1} checked, the other {total - last + first:,} not"
        )
        facts["shards"] = {"first": first, "last": last - 1, "of": total}
    if reintegrate and not problems:
        from ..audit.reintegrate import reintegrate as integrate_again

        again = integrate_again(path, reintegrate, shards=shards)
        problems += again.problems
        facts["reintegration"] = again.facts()
        remark += f"; {again.remark()}"
    if as_json:
        print_json({**found.to_dict(), **facts})
    else:
        for problem in problems:
            click.echo(problem)
        for note in found.notes:
            click.echo(f"note: {note}")
    if problems:
        click.echo(f"{shown}: {len(problems)} problem{'s' if len(problems) > 1 else ''}{remark}", err=True)
        sys.exit(1)
    click.echo(f"{shown}: sound{remark}", err=as_json)


def _slice(text: str) -> slice:
    """Raises BadParameter if the text is no slice of a list."""
    found = re.fullmatch(r"(-?[0-9]{1,9})?:(-?[0-9]{1,9})?", text)
    if not found:
        raise click.BadParameter(f"got {text!r}, expected A:B, as 0:1000, 5000: or :-1")
    return slice(*(int(number) if number else None for number in found.groups()))


def _verify_with_progress(path: Path, shards: slice | None) -> tuple["Findings", int]:
    """What was found, and how many shards there are."""
    from ...data.folder.manifest_reading import load_manifest
    from ...data.integrity.verify import examine
    from ..runtime.bars import Bars

    total = len(load_manifest(path).shards) if path.is_dir() else 1
    first, last, _ = (shards or slice(None)).indices(total)
    console = new_console()
    bar = Bars("shards", console=console, transient=True, disable=not console.is_terminal)
    # Before Rich 15, a bar that is not shown ends in an empty line.
    with bar if console.is_terminal else nullcontext(bar) as progress:
        task = progress.add_task("verify", total=max(0, last - first))
        found = examine(
            path, lambda done: progress.update(task, completed=done), isolated=True, shards=shards
        )
    return found, total


@click.command("info")
@click.argument("path", type=DATASET)
@json_option
@command
def info_command(path: Path | str, as_json: bool) -> None:
    """Show what a dataset, or one shard, holds; also by its address, https:// or hf://."""
    from ...data.folder.manifest_reading import lacking, load_manifest
    from ...data.folder.remote_folder import dataset_path
    from ...data.integrity.child_reader import IsolatedReader
    from .printing import dataset_facts, print_dataset

    path = dataset_path(path)
    if path.is_file():
        with IsolatedReader() as reader:
            manifest = reader.manifest(path)
    else:
        manifest = load_manifest(path)
        if files := lacking(path, manifest):
            click.echo(
                f"note: {len(files):,} of {len(manifest.shards):,} shards are not there, or not whole, the first is "
                f"{files[0]}; see `trajstore verify`",
                err=True,
            )
    if as_json:
        print_json(dataset_facts(manifest))
    else:
        print_dataset(new_console(stderr=False), manifest, shard=path.is_file())
