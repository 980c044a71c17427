"""Commands that make a dataset from measured files or from other datasets: import, merge, select; and export."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ...data.shard.schema import SPLITS, STATE_DTYPES, Status
from .common import DATASET, PATH, command, json_option, print_dataset_json, print_datasets_json
from .option_types import Dimensions, Finite, Names, Range, Where

# What may be said beside --dysts, whose protocol decides the rest.
WITH_DYSTS = ("files", "out", "dysts", "systems", "dtype", "license", "creator", "as_json")
FRACTION = Finite(0.0, 1.0, max_open=True)
out_option = click.option("--out", type=PATH, required=True, help="New folder to write to.")
title_option = click.option("--title", help="Of the new dataset; that of the (first) source if left out.")
creator_option = click.option(
    "--creator", help="Who made the new one; that of the (first) source if left out."
)
split_option = click.option(
    "--split", "splits", multiple=True, type=click.Choice(SPLITS), help="Only this split; may be repeated."
)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@out_option
@click.option("--time", "time_name", help="Column or variable of the times; 'time' or 't' if left out.")
@click.option("--step", type=Finite(0.0, min_open=True), help="Sampling interval, if there are no times.")
@click.option("--trajectory", help="CSV: column that tells trajectories apart; 'trajectory' if left out.")
@click.option("--state", help="Variable of all states (trajectory, time, component); 'state' if left out.")
@click.option(
    "--components",
    type=Names(),
    metavar="NAME,...",
    help="Columns, variables or components that make up the state; NEW=NAME gives another name.",
)
@click.option(
    "--parameters", type=Names(), metavar="NAME,...", help="Columns or variables that are constant a row."
)
@click.option(
    "--derivatives",
    type=Names(),
    metavar="NAME=NAME,...",
    help="Of each component the column or variable of its derivative; of --state the variable of all of them.",
)
@click.option(
    "--dimensions",
    type=Dimensions(),
    metavar="NAME,...",
    help="Of arrays of states, in the file's order: trajectory, time, component; where the file does not tell.",
)
@click.option(
    "--decimal",
    type=click.Choice([".", ","]),
    help="Sign of decimals in tables, where their numbers leave it open.",
)
@click.option("--length", type=click.IntRange(min=2), help="Cut trajectories into pieces of so many samples.")
@click.option(
    "--validation", type=FRACTION, default=0.1, show_default=True, help="Share of the validation split."
)
@click.option("--test", type=FRACTION, default=0.1, show_default=True, help="Share of the test split.")
@click.option(
    "--split-by",
    type=click.Choice(["trajectory", "time"]),
    default="trajectory",
    show_default=True,
    help="time: of each trajectory the first pieces to train, the last to test.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the split.")
@click.option(
    "--dtype", type=click.Choice(STATE_DTYPES), help="Of the stored states; the file's if left out."
)
@click.option("--name", default="measured", show_default=True, help="Name of what was measured.")
@click.option(
    "--time-unit",
    help="Of the times; that which the files state if left out, else 1. Known ones are converted.",
)
@click.option(
    "--resample",
    type=Finite(0.0, min_open=True),
    metavar="STEP",
    help="Put irregular times on a grid of this interval, in --time-unit or the file's, by cubic splines, never "
    "beyond the samples.",
)
@click.option(
    "--dysts",
    is_flag=True,
    help="FILE is JSON of the benchmark of dysts: a dataset a system, and OUT/study.toml, which judges all.",
)
@click.option(
    "--system", "systems", multiple=True, metavar="NAME", help="With --dysts: this one; may be repeated."
)
@click.option("--title", help="Of the dataset, for its card.")
@click.option(
    "--license", default="unspecified", show_default=True, help="Best an SPDX identifier, as CC-BY-4.0."
)
@click.option("--creator", default="unspecified", show_default=True, help="Who measured it.")
@json_option
@command
def import_command(
    files: tuple[Path, ...],
    out: Path,
    time_name: str | None,
    step: float | None,
    trajectory: str | None,
    state: str | None,
    components: dict[str, str] | None,
    parameters: dict[str, str] | None,
    derivatives: dict[str, str] | None,
    dimensions: tuple[str, ...] | None,
    decimal: str | None,
    split_by: str,
    dysts: bool,
    systems: tuple[str, ...],
    as_json: bool,
    **settings: Any,
) -> None:
    """Make a dataset of measured trajectories: CSV, NPZ, NPY, HDF5, netCDF, MATLAB or OpenSim files.

    It has no equations.
    """
    if dysts or systems:
        _import_dysts(files, out, systems, as_json, dysts=dysts)
        return
    from ..exchange.measured.importing import import_files, summary
    from ..exchange.measured.measurements import Columns
    from ..exchange.measured.settings import Import

    columns = Columns(
        time_name,
        trajectory,
        state,
        components or {},
        parameters or {},
        step,
        dimensions or (),
        decimal,
        derivatives or {},
    )
    imported = import_files(files, out, Import(columns, by=split_by, **settings))
    _say(out, imported.manifest, as_json)
    for line in summary(imported, columns):
        click.echo(line, err=as_json)


def _import_dysts(
    files: tuple[Path, ...], out: Path, systems: tuple[str, ...], as_json: bool, *, dysts: bool
) -> None:
    from ..exchange.measured.dysts import STUDY, import_dysts
    from ..exchange.measured.settings import Import

    context = click.get_current_context()
    given = [
        key for key in context.params if context.get_parameter_source(key) is ParameterSource.COMMANDLINE
    ]
    if wrong := [key for key in given if key not in WITH_DYSTS]:
        option = next(each.opts[0] for each in context.command.params if each.name == wrong[0])
        raise click.UsageError(f"--dysts goes with --system, --dtype, --license and --creator; got {option}")
    if not dysts or len(files) != 1:
        raise click.UsageError("expected --dysts and one FILE, that of the series that are judged")
    said = {key: context.params[key] for key in ("dtype", "license", "creator")}
    made = import_dysts(files[0], out, systems, Import(**said))
    beside = made.tuning or "no file: settings are chosen on a part of what is fitted"
    click.echo(f"series to tune on: {beside}", err=as_json)
    click.echo(
        f"{out}: {len(made.manifests)} datasets; to judge on them: trajstore study {out / STUDY} --out DIR",
        err=as_json,
    )
    if as_json:
        print_datasets_json(out, made.manifests)


@click.command("merge")
@click.argument("paths", nargs=-1, required=True, type=DATASET, metavar="DATASET DATASET...")
@out_option
@title_option
@creator_option
@json_option
@command
def merge_command(
    paths: tuple[Path | str, ...], out: Path, title: str | None, creator: str | None, as_json: bool
) -> None:
    """Join datasets of the same equations and grid into a new one."""
    if len(paths) < 2:
        raise click.UsageError(
            "expected two datasets or more, got one; `trajstore select` writes a part of one."
        )
    from ..exchange.derived.merge import merge

    _say(out, merge(paths, out, title=title, creator=creator), as_json)


@click.command("select")
@click.argument("path", type=DATASET, metavar="DATASET")
@out_option
@split_option
@click.option(
    "--rows", type=Range(int), default=":", help="Rows FIRST:LAST of each split, LAST not included."
)
@click.option(
    "--where", multiple=True, type=Where(), help="Only rows with a parameter in this range; may be repeated."
)
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([status.name.lower() for status in Status]),
    help="Only rows with this status; may be repeated.",
)
@click.option(
    "--time", type=Range(float), default=":", help="Only samples at these times, both ends included."
)
@click.option(
    "--stride", type=click.IntRange(min=1), default=1, help="Only every so many-th of these samples."
)
@title_option
@creator_option
@json_option
@command
def select_command(
    path: Path | str,
    out: Path,
    where: tuple[tuple[str, Any], ...],
    title: str | None,
    creator: str | None,
    as_json: bool,
    **conditions: Any,
) -> None:
    """Write some rows and times of a dataset to a new one; DATASET may be an address, https:// or hf://."""
    from ..exchange.derived.select import Selection, select

    selection = Selection(where=dict(where), **conditions)
    manifest = select(path, out, selection, title=title, creator=creator)
    _say(out, manifest, as_json)
    if not (where or conditions["status"]) and (note := _rows_beyond(conditions["rows"], manifest)):
        click.echo(note, err=True)


@click.command("export")
@click.argument("path", type=DATASET, metavar="DATASET")
@click.option(
    "--format", "form", type=click.Choice(["npz", "csv", "netcdf"]), required=True, help="Of the files."
)
@out_option
@split_option
@command
def export_command(path: Path | str, form: str, out: Path, splits: tuple[str, ...]) -> None:
    """Write the splits of a dataset as files of another kind."""
    from ..exchange.derived.export import export

    for written in export(path, out, form, splits):
        click.echo(str(written))


def _rows_beyond(rows: tuple[int | None, int | None], manifest: Any) -> str:
    """How many rows of a range each split has that ends before it does, as a note; "" where none does."""
    first, last = rows[0] or 0, rows[1]
    if last is None or first < 0:
        return ""
    counts = {name: split.trajectories for name, split in manifest.splits.items()}
    few = ", ".join(f"{count:,} of {name}" for name, count in counts.items() if 0 < count < last - first)
    return few and f"note: of the {last - first:,} rows {first}:{last} there are {few}: the split ends before"


def _say(out: Path, manifest: Any, as_json: bool) -> None:
    """What was made, a line; with JSON it goes to stderr."""
    sizes = ", ".join(f"{split.trajectories:,} {name}" for name, split in manifest.splits.items())
    failed = sum(split.failed for split in manifest.splits.values())
    note = f"; {failed:,} of them not sound, kept as NaN with a status" if failed else ""
    click.echo(
        f"{out}: {sizes} rows{note}; {manifest.bytes / 1e6:,.1f} MB; id {manifest.id[:16]}", err=as_json
    )
    if as_json:
        print_dataset_json(out, manifest)
