"""A study: its datasets made, its runs trained and judged, several at once; and one table of all."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from joblib import Parallel, cpu_count, delayed, parallel_config
from rich.console import Console
from rich.progress import Progress

from ...data.base.errors import TrajstoreError
from ...data.base.files import write_json, write_text
from ...data.folder.names import MANIFEST
from ..draw.style import STYLE, save_figure
from ..runtime.lock import locked
from ..runtime.progress import columns
from .conditions import LEGEND, conditions, missing
from .figure import draw_table
from .figures import draw_figures, find_figures
from .file import StudyFile, load_study
from .plan import Plan, RunJob, make_plan
from .results import Row, label_of, rows_of, summary, values_of, without
from .table import Table, comma_separated, make_table, markdown
from .work import do_run, finished, make_dataset

RESULTS, TABLE, CSV, FIGURE = "results.json", "table.md", "results.csv", "figure.png"


@dataclass(frozen=True)
class Study:
    """What came of it: what results.json holds, the table, and how many runs failed."""

    results: dict[str, Any]
    table: Table
    failed: int


def run_study(
    path: str | Path,
    out: str | Path,
    jobs: int | None = None,
    *,
    quick: bool = False,
    only: str | None = None,
    console: Console | None = None,
) -> Study:
    """Do what a study's file says, or what is left of it; OUT has results.json, results.csv, table.md, figure.png
    and the figures that the file names.

    Args:
        path: The file.
        out: The folder of all that it makes.
        jobs: Runs at once, each in one thread; None is one a core.
        quick: Whether the overrides of its `[quick]` hold.
        only: A pattern of DATASET/MODEL; other runs are left as they are, and stay in the table if they are done.
        console: Where progress is shown; None shows none.

    Raises:
        TrajstoreError: The file is none, or the folder cannot be used. One run's failure is told in the results.
    """
    path, out, console = Path(path), Path(out), console or Console(quiet=True)
    study = load_study(path)
    every = make_plan(study, path, out, quick=quick)
    plan = every if only is None else every.only(only)
    # What cannot be drawn is told before anything is trained.
    figures = find_figures(study.figures, path.parent)
    if (out / MANIFEST).is_file():
        raise TrajstoreError(f"{out}: holds a dataset; choose another folder")
    with locked(out):
        scripts, lost = _make_datasets(plan, jobs, console)
        waiting = [job for job in plan.runs if job.dataset.folder not in lost]
        found = dict(zip(map(id, waiting), _do(waiting, jobs, console), strict=True))
        told = list(_results(plan, every, found, lost))
        rows = [
            row
            for job, result in told
            for row in rows_of(job.dataset.label, job.model, job.seed, job.varied, result)
        ]
        left_out = every.left_out | _without_rollouts(waiting, found)
        published = [entry.model_dump(exclude_defaults=True) for entry in study.published]
        summed = summary(rows, study.pooled)
        unpooled = [without(row, study.pooled) for row in rows]
        table = make_table(unpooled, summed, published, study.columns)
        results = {
            "quick": quick,
            "title": study.title,
            "rows": [asdict(row) for row in rows],
            "summary": summed,
            "published": published,
            "left_out": left_out,
            "scripts": scripts,
        }
        judged = ((job.dataset.label, result.get("metrics", {})) for job, result in told)
        _save(out, study, table, rows, results, list(conditions(judged)))
        draw_figures(figures, every.runs, out)
    return Study(results, table, sum(row.error is not None for row in rows))


def _make_datasets(plan: Plan, jobs: int | None, console: Console) -> tuple[dict[str, str], dict[Path, str]]:
    """SHA-256 of the scripts that wrote datasets, by their labels; what went wrong with others, by their folders."""
    scripts: dict[str, str] = {}
    lost: dict[Path, str] = {}
    for job in plan.datasets:
        try:
            digest = make_dataset(job, jobs, console)
        except TrajstoreError as error:
            lost[job.folder] = str(error)
            continue
        if digest is not None:
            scripts[job.label] = digest
    return scripts, lost


def _do(runs: list[RunJob], jobs: int | None, console: Console) -> Iterator[dict[str, Any]]:
    """What came of each run, in order."""
    done = [finished(job) for job in runs]
    left = [number for number, found in enumerate(done) if found is None]
    workers = max(1, min(jobs or cpu_count(), len(left)))
    with Progress(*columns("runs", speed=False), console=console) as progress:
        bar = progress.add_task("train and judge", total=len(runs), completed=len(runs) - len(left))
        with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
            fresh: Any = Parallel(return_as="generator_unordered")(
                delayed(_numbered)(number, runs[number], os.getpid()) for number in left
            )
            for number, found in fresh:
                done[number] = found
                progress.advance(bar)
    return (found or {} for found in done)


def _numbered(number: int, job: RunJob, parent: int) -> tuple[int, dict[str, Any]]:
    return number, do_run(job, parent)


def _results(
    plan: Plan, every: Plan, found: dict[int, dict[str, Any]], lost: dict[Path, str]
) -> Iterator[tuple[RunJob, dict[str, Any]]]:
    """What came of the runs that were asked for, and of others that have been done before."""
    asked = set(map(id, plan.runs))
    for job in every.runs:
        nothing: dict[str, float | None] = {"train": None, "evaluate": None}
        if id(job) in asked and job.dataset.folder in lost:
            result: dict[str, Any] | None = {"seconds": nothing, "error": lost[job.dataset.folder]}
        elif id(job) in asked:
            result = found[id(job)]
        else:
            result = finished(job) if (job.dataset.folder / MANIFEST).is_file() else None
        if result is not None:
            yield job, result


def _without_rollouts(runs: list[RunJob], found: dict[int, dict[str, Any]]) -> dict[str, str]:
    """Baselines that nothing is rolled out for, and why; a network is judged by its targets nevertheless."""
    return {
        label_of(f"{job.dataset.label}/{job.model}", job.varied): (
            "its test rows are too short for a rollout, or its task has none"
        )
        for job in runs
        if job.seed is None and found[id(job)].get("metrics") == {}
    }


def _save(
    out: Path,
    study: StudyFile,
    table: Table,
    rows: list[Row],
    results: dict[str, Any],
    judged: Sequence[str],
) -> None:
    """Table, rows and figure; `judged` says under which conditions."""
    notes = [LEGEND, *_pooled(rows, study.pooled), *judged]
    # Over pooled values something is said of by `_pooled`.
    notes += [] if study.pooled else missing(rows, table.columns)
    nowhere = [name for name in study.columns if not any(name in row.metrics for row in rows)]
    notes += [f"No run has {name}, which is among the columns." for name in nowhere if rows]
    notes += [f"{label} is left out: {why}." for label, why in results["left_out"].items()]
    notes += [f"{_told(row)} failed: {row.error}" for row in rows if row.error]
    if results["quick"]:
        notes.append("Quick: with the overrides of [quick], which say little of what longer runs would give.")
    heading = f"# {study.title}\n\n" if study.title else ""
    write_text(out / TABLE, heading + markdown(table, notes))
    write_text(out / CSV, comma_separated(rows))
    # It says that the study is done; what may still fail is drawing.
    write_json(out / RESULTS, results)
    drawn = [without(row, study.pooled) for row in rows]
    figure = draw_table(table, drawn, table.columns[0]) if table.columns else None
    if figure is not None:
        with mpl.rc_context(STYLE):
            save_figure(figure, out / FIGURE)


def _told(row: Row) -> str:
    seed = "" if row.seed is None else f", seed {row.seed}"
    return f"{row.dataset}, {label_of(row.model, row.varied)}{seed}"


def _pooled(rows: list[Row], pooled: set[str]) -> Iterator[str]:
    """Over what each line of a dataset is, and of how many of these values something failed."""
    for dataset in dict.fromkeys(row.dataset for row in rows):
        own = [row for row in rows if row.dataset == dataset]
        values, failed = values_of(own, pooled), values_of((row for row in own if row.error), pooled)
        if values:
            names = sorted({key for row in own for key in row.varied if key in pooled})
            yield (
                f"{dataset}: medians over values of {' and '.join(names)}, {len(values)} in all; runs of "
                f"{len(failed) or 'none'} of them failed."
            )
