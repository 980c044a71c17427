"""The figures that a study's file names, of what its runs have left."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from ...data.base.own_code import OwnCode
from ...data.folder.names import MANIFEST
from ..draw.run_figures.plot import load_results
from ..draw.run_labels import Results
from ..draw.style import STYLE, check_drawn, save_figure
from .plan import RunJob
from .registry import STUDY_FIGURES
from .results import label_of
from .work import finished


@dataclass(frozen=True)
class JudgedRun:
    """A run of a study, as its figures are told of it.

    Attributes:
        dataset: The study's own label.
        model: The study's own label, with what is varied.
        seed: Of the training.
        results: What the figures of one run are drawn from.
    """

    dataset: str
    model: str
    seed: int
    results: Results


StudyFigure = Callable[[Sequence[JudgedRun]], Figure | None]


def find_figures(names: Iterable[str], beside: Path) -> dict[str, StudyFigure]:
    """The functions of a study's figures, by the names of their files.

    Raises TrajstoreError if there is none of that name, or its code fails as it is imported.
    """
    code = OwnCode(beside, trusted=True)
    return {name.rpartition(":")[2]: STUDY_FIGURES.find(name, code) for name in names}


def draw_figures(figures: dict[str, StudyFigure], runs: Iterable[RunJob], out: Path, unfinished: str) -> None:
    """Draw figures into a folder, of what there is of the runs so far; `unfinished` says how many these are, if they
    are not all."""
    judged = list(judged_runs(runs)) if figures else []
    with mpl.rc_context(STYLE):
        for name, draw in figures.items():
            figure = draw(judged) if judged else None
            if figure is not None:
                check_drawn(name, figure)
                mark(figure, unfinished)
                save_figure(figure, out / f"{name}.png")


def mark(figure: Figure, unfinished: str) -> None:
    """Say above a figure of how many runs it is, where it is not of all."""
    if unfinished:
        title = "\n".join(filter(None, [figure.get_suptitle(), unfinished]))
        figure.suptitle(title, x=0.02, ha="left", fontsize=10)


def judged_runs(runs: Iterable[RunJob]) -> Iterator[JudgedRun]:
    """Those of the runs that have been trained and judged, in order."""
    for job in runs:
        if job.seed is None or not (job.dataset.folder / MANIFEST).is_file():
            continue
        if finished(job) is not None:
            label = label_of(job.model, job.varied)
            yield JudgedRun(job.dataset.label, label, job.seed, load_results(job.folder))
