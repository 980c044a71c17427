"""Commands of many runs, study and compare; and of a run's curve in other programs, track."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...data.base.errors import TrajstoreError
from .common import PATH, command, json_option, new_console, print_json, resumable

if TYPE_CHECKING:
    from ..study.results import Row
    from ..study.table import Table

FAILED = 1


@click.command("study")
@click.argument("study", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder of all that it makes.")
@click.option(
    "--jobs", type=click.IntRange(1), help="Runs at once, each in one thread; one a core if left out."
)
@click.option(
    "--only", metavar="GLOB", help="Only what matches DATASET/MODEL, as in 'clean/*', or DATASET/MODEL/seedN."
)
@click.option(
    "--quick", is_flag=True, help="With the overrides of the file's [quick]: to try it, not for its numbers."
)
@json_option
@resumable
def study_command(
    study: Path, out: Path, jobs: int | None, only: str | None, quick: bool, as_json: bool
) -> None:
    """Train and judge all that a study's file names, several runs at once; what has been done is not done again.

    Exit code 1 where some of the runs failed: the others are in the table.
    """
    from ..study.study import TABLE, run_study

    done = run_study(study, out, jobs, quick=quick, only=only, console=new_console())
    if as_json:
        print_json(done.results)
    else:
        click.echo((out / TABLE).read_text(encoding="utf-8"), nl=False)
    if done.failed:
        click.echo(f"trajstore: {done.failed} runs failed; the table says why", err=True)
        sys.exit(FAILED)


@click.command("compare")
@click.argument("runs", type=PATH, nargs=-1, required=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
@click.option("--figure", type=PATH, help="Draw the first column of the table into this file.")
@click.option(
    "--column", "columns", multiple=True, metavar="METRIC", help="Of the table; the usual ones if left out."
)
@json_option
@command
def compare_command(
    runs: tuple[Path, ...], as_csv: bool, figure: Path | None, columns: tuple[str, ...], as_json: bool
) -> None:
    """One table of evaluated RUNs and the baselines beside them: medians over seeds, the best marked, floors
    below.
    """
    from ..study.compare import rows_of_runs
    from ..study.results import summary
    from ..study.table import comma_separated, make_table, markdown

    if as_csv and as_json:
        raise click.UsageError("--csv and --json are two forms of the same; give one")
    if figure is not None:
        from ..draw.style import check_png

        check_png(figure)
    rows, notes = rows_of_runs(runs)
    found = summary(rows)
    known = sorted({name for row in rows for name in row.metrics})
    for name in columns:
        if name not in known:
            raise TrajstoreError(f"--column {name}: no run has such a metric; there are {', '.join(known)}")
    table = make_table(rows, found, columns=columns)
    if as_json:
        print_json({"rows": [vars(row) for row in rows], "summary": found})
    else:
        click.echo(comma_separated(rows) if as_csv else markdown(table, notes), nl=False)
    if figure is not None:
        _draw(figure, table, rows)


@click.command("track")
@click.argument("run", type=PATH)
@click.option("--to", required=True, metavar="PROGRAM", help="tensorboard.")
@click.option("--out", type=PATH, help="Folder; RUN/PROGRAM if left out.")
@command
def track_command(run: Path, to: str, out: Path | None) -> None:
    """Write the curve of a RUN, which metrics.jsonl keeps, in the form of another program."""
    from ..runs.track import track

    folder = track(run, to, out)
    click.echo(f"{folder}: look with `tensorboard --logdir {folder}`", err=True)


def _draw(path: Path, table: "Table", rows: "list[Row]") -> None:
    import matplotlib as mpl

    from ..draw.style import STYLE, save_figure
    from ..study.figure import draw_table

    drawn = draw_table(table, rows, table.columns[0]) if table.columns else None
    if drawn is None:
        raise TrajstoreError("there is nothing to draw: the runs have no metric in common")
    with mpl.rc_context(STYLE):
        save_figure(drawn, path)
    click.echo(str(path), err=True)
