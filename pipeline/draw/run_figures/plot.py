"""All figures of an evaluated run."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console

from ....data.folder.elsewhere import refuse_dataset
from ...runs.code import Classes, kept_code
from ...runs.curve import read_curve
from ...runs.files import RunError, load_arrays
from ...runs.folder import EVALUATION, FIGURES, METRICS, RunConfig
from ..run_labels import Results
from ..style import STYLE, check_drawn, save_figure
from .registry import FIGURES as KNOWN


def plot(
    run: str | Path,
    console: Console | None = None,
    out: str | Path | None = None,
    *,
    figures: Classes | None = None,
    trust_code: bool = False,
) -> list[Path]:
    """Draw all figures of an evaluated run; their paths.

    Args:
        run: Its folder.
        console: Where paths are shown; None shows none.
        out: Folder of the figures, RUN/figures if left out.
        figures: Functions by the names that the config has for them, for figures that are not ours.
        trust_code: Whether to import the code that the run has or names for these.

    Raises:
        RunError: The folder is no run, or not yet evaluated.
        TrajstoreError: The figures would lie in a dataset.
        UntrustedCodeError: A figure is not ours, and neither is its function given nor its code trusted.
    """
    run = Path(run)
    folder = run / FIGURES if out is None else Path(out)
    if out is not None:
        refuse_dataset(folder)
    paths = []
    for name, figure in drawn(run, load_results(run), figures, trust_code=trust_code):
        paths.append(folder / f"{name}.png")
        save_figure(figure, paths[-1])
        if console is not None:
            console.print(str(paths[-1]), highlight=False, soft_wrap=True)
    return paths


def drawn(
    run: Path, results: Results, figures: Classes | None = None, *, trust_code: bool = False
) -> Iterator[tuple[str, Figure]]:
    """Each figure of a run with its name, as far as the results have what it shows."""
    code = kept_code(run, trusted=trust_code)
    with mpl.rc_context(STYLE):
        for name in [*KNOWN.own, *results["config"].learning.evaluation.figures]:
            figure = KNOWN.find(name, code, figures)(results)
            if figure is not None:
                check_drawn(name, figure)
                yield name.rpartition(":")[2], figure


def _judged(config: RunConfig, metrics: dict[str, Any]) -> RunConfig:
    """The same, with the equations that are true of what was judged, where it is another dataset."""
    another = metrics.get("another_dataset")
    system = another.get("system") if isinstance(another, dict) else None
    return (
        config
        if not isinstance(system, dict)
        else replace(config, config={**config.config, "system": system})
    )


def load_results(run: Path) -> Results:
    """What figures are drawn from. Raises RunError if it is not there."""
    config = RunConfig.load(run)
    try:
        metrics = json.loads((run / METRICS).read_text(encoding="utf-8"))
        arrays = load_arrays(run / EVALUATION)
        judged = _judged(config, metrics)
        curve = list(read_curve(run))
        return {"config": judged, "trained": config, "metrics": metrics, "curve": curve, **arrays}
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise RunError(f"{run}: {name} is missing; run `trajstore evaluate {run}` first") from None
    except (ValueError, OSError, EOFError) as error:
        raise RunError(f"{run}: its metrics cannot be read ({error}); evaluate it again") from None
