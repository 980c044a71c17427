"""A study: its datasets made, its runs trained and judged, several at once; and one table of all."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console

from ...data.base.errors import TrajstoreError
from ...data.base.files import write_json, write_text
from ...data.folder.elsewhere import refuse_dataset
from ...data.folder.names import MANIFEST
from ..draw.style import STYLE, save_figure
from ..runtime.bars import Bars
from ..runtime.interrupts import deaf_children, nothing_else_heard
from ..runtime.lock import locked
from .conditions import LEGEND, conditions, missing
from .figure import draw_table
from .figures import draw_figures, find_figures, mark
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


@dataclass
class _Found:
    """What has been found so far.

    Attributes:
        scripts: SHA-256 of the scripts that wrote datasets, by their labels.
        runs: What came of runs that have ended, well or not, by their folders.
    """

    scripts: dict[str, str] = field(default_factory=dict)
    runs: dict[Path, dict[str, Any]] = field(default_factory=dict)


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
        TrajstoreError: The file is none, the folder cannot be used, or a worker was killed; one run's failure is told
            in the results.
        KeyboardInterrupt: When OUT tells of the runs that have ended; its message says how many these are.
    """
    path, out, console = Path(path), Path(out), console or Console(quiet=True)
    study = load_study(path)
    every = make_plan(study, path, out, quick=quick)
    plan = every if only is None else every.only(only)
    # What cannot be drawn is told before anything is trained.
    figures = find_figures(study.figures, path.parent)
    refuse_dataset(out)
    found, stop = _Found(), None
    with locked(out):
        try:
            _make_datasets(plan, jobs, console, found)
            _train_and_judge(plan, jobs, console, found)
        except (KeyboardInterrupt, TerminatedWorkerError) as error:
            stop = error
        ended = list(_ended(every, found))
        if stop is not None and not ended:
            raise _stopped(stop, out, "no run has ended yet")
        done = _told(study, every, ended, found, out, quick=quick)
        draw_figures(figures, every.runs, out, _unfinished(**done.results["runs"]))
    if stop is not None:
        kept = f"{len(ended)} of {len(every.runs)} runs have ended, and are in {out / TABLE}"
        raise _stopped(stop, out, kept)
    return done


def _stopped(stop: BaseException, out: Path, kept: str) -> BaseException:
    """What tells of an end before the end: what is kept, and how to go on."""
    said = f"{kept}; the same command goes on from here"
    if isinstance(stop, KeyboardInterrupt):
        return KeyboardInterrupt(said)
    killed = "a worker process was killed, perhaps for want of memory"
    return TrajstoreError(f"{out}: {killed}; {said}, perhaps with fewer --jobs")


def _make_datasets(plan: Plan, jobs: int | None, console: Console, found: _Found) -> None:
    """Runs whose dataset cannot be made have ended."""
    for job in plan.datasets:
        try:
            with nothing_else_heard():
                digest = make_dataset(job, jobs, console)
        except TrajstoreError as error:
            failed = {"seconds": {"train": None, "evaluate": None}, "error": str(error)}
            found.runs |= {run.folder: failed for run in plan.runs if run.dataset is job}
            continue
        if digest is not None:
            found.scripts[job.label] = digest


def _train_and_judge(plan: Plan, jobs: int | None, console: Console, found: _Found) -> None:
    """What came of each run is found as it ends."""
    waiting = [job for job in plan.runs if job.folder not in found.runs]
    left = [job for job in waiting if finished(job) is None]
    workers = max(1, min(jobs or cpu_count(), len(left)))
    with Bars("runs", speed=False, console=console) as progress:
        bar = progress.add_task("train and judge", total=len(waiting), completed=len(waiting) - len(left))
        with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
            parallel: Any = Parallel(return_as="generator_unordered")
            with deaf_children():
                fresh = parallel(delayed(_named)(job, os.getpid()) for job in left)
            for folder, result in fresh:
                found.runs[folder] = result
                progress.advance(bar)


def _named(job: RunJob, parent: int) -> tuple[Path, dict[str, Any]]:
    return job.folder, do_run(job, parent)


def _ended(every: Plan, found: _Found) -> Iterator[tuple[RunJob, dict[str, Any]]]:
    """What came of the runs that have ended, now or before, in order."""
    for job in every.runs:
        result = found.runs.get(job.folder)
        if result is None and (job.dataset.folder / MANIFEST).is_file():
            result = finished(job)
        if result is not None:
            yield job, result


def _told(
    study: StudyFile,
    every: Plan,
    ended: Sequence[tuple[RunJob, dict[str, Any]]],
    found: _Found,
    out: Path,
    *,
    quick: bool,
) -> Study:
    """Write results, table and figure of the runs that have ended, all of them or not."""
    rows = [
        row
        for job, result in ended
        for row in rows_of(job.dataset.label, job.model, job.seed, job.varied, result)
    ]
    published = [entry.model_dump(exclude_defaults=True) for entry in study.published]
    summed = summary(rows, study.pooled)
    unpooled = [without(row, study.pooled) for row in rows]
    table = make_table(unpooled, summed, published, study.columns)
    results = {
        "quick": quick,
        "title": study.title,
        "runs": {"ended": len(ended), "of": len(every.runs)},
        "rows": [asdict(row) for row in rows],
        "summary": summed,
        "published": published,
        "left_out": every.left_out | _without_rollouts(ended),
        "scripts": found.scripts,
    }
    judged = ((job.dataset.label, result.get("metrics", {})) for job, result in ended)
    _save(out, study, table, rows, results, list(conditions(judged)))
    return Study(results, table, sum(row.error is not None for row in rows))


def _without_rollouts(ended: Iterable[tuple[RunJob, dict[str, Any]]]) -> dict[str, str]:
    """Baselines that nothing is rolled out for, and why; a network is judged by its targets nevertheless."""
    return {
        label_of(f"{job.dataset.label}/{job.model}", job.varied): (
            "its test rows are too short for a rollout, or its task has none"
        )
        for job, result in ended
        if job.seed is None and result.get("metrics") == {}
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
    notes += [f"{_of(row)} failed: {row.error}" for row in rows if row.error]
    if results["quick"]:
        notes.append("Quick: with the overrides of [quick], which say little of what longer runs would give.")
    heading = f"# {study.title}\n\n" if study.title else ""
    unfinished = _unfinished(**results["runs"])
    write_text(out / TABLE, heading + (unfinished and f"{unfinished}.\n\n") + markdown(table, notes))
    write_text(out / CSV, comma_separated(rows))
    write_json(out / RESULTS, results)
    drawn = [without(row, study.pooled) for row in rows]
    figure = draw_table(table, drawn, table.columns[0]) if table.columns else None
    if figure is not None:
        mark(figure, unfinished)
        with mpl.rc_context(STYLE):
            save_figure(figure, out / FIGURE)


def _unfinished(ended: int, of: int) -> str:
    """What a table says that is not of all runs; "" of one that is."""
    return "" if ended == of else f"Unfinished: {ended} of {of} runs have ended"


def _of(row: Row) -> str:
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
