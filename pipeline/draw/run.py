"""A run's metrics -> figures: flow and trajectories, loss curves, error over time, rollout, predictors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

from ..dynamics.systems import System
from ..judge.movement import first_moving
from ..judge.truth import CURVES
from ..runs.files import RunError, load_arrays
from ..runs.folder import EVALUATION, FIGURES, METRICS, RunConfig, read_curve
from ..runs.loss_units import STANDARDISED
from ..runs.standing import ending
from . import rollout as rollout_figure
from .flow import draw_streamlines
from .images import draw_images
from .run_labels import (
    CLEAN,
    OBSERVED,
    POINTS,
    SMALL_POINTS,
    Results,
    component_label,
    finish,
    is_forecast,
    is_noisy,
    noise_floor,
    predicted_label,
    rollout_row,
    row_label,
    run_title,
    shown_label,
    time_label,
    truth,
    truth_label,
)
from .style import (
    BAND,
    BLUE,
    FLOW,
    PREDICTED,
    STYLE,
    TRUE,
    equal_scales,
    new_figure,
    plane_figure,
    save_figure,
    widen,
)
from .true_curves import draw_predicted, draw_true, over_time, plane

# Behind text, so that no line runs through it.
PAPER = {"color": "white", "pad": 1.0}
SECOND_ORDER = "Levenberg-Marquardt"


def plot(run: str | Path, console: Console | None = None, out: str | Path | None = None) -> list[Path]:
    """Draw all figures of an evaluated run into a folder, RUN/figures if left out; their paths.

    Raises RunError if the folder is no run, or not yet evaluated.
    """
    run = Path(run)
    folder = run / FIGURES if out is None else Path(out)
    results = _load(run)
    paths = []
    with mpl.rc_context(STYLE):
        for name, draw in DRAWINGS.items():
            figure = draw(results)
            if figure is None:
                continue
            paths.append(folder / f"{name}.png")
            save_figure(figure, paths[-1])
            if console is not None:
                console.print(str(paths[-1]), highlight=False, soft_wrap=True)
    return paths


def _load(run: Path) -> Results:
    config = RunConfig.load(run)
    try:
        metrics = json.loads((run / METRICS).read_text(encoding="utf-8"))
        arrays = load_arrays(run / EVALUATION)
        return {"config": config, "metrics": metrics, "curve": list(read_curve(run)), **arrays}
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise RunError(f"{run}: {name} is missing; run `trajstore evaluate {run}` first") from None
    except (ValueError, OSError, EOFError) as error:
        raise RunError(f"{run}: its metrics cannot be read ({error}); evaluate it again") from None


def draw_flow(results: Results) -> Figure | None:
    """The plane: true and predicted trajectories, over the flow field where the equations are known.

    More components over time, many as images.
    """
    if len(results["config"].components) > CURVES:
        return _draw_images(results, "one-step forecasts" if is_forecast(results) else "a test trajectory")
    system: System | None = results["config"].system
    # The plane of two out of more states is no phase plane: trajectories cross in it.
    hidden = system is not None and list(system.states) != results["config"].components
    if len(results["config"].components) != 2 or hidden:
        return draw_time_series(results)
    true = truth(results)
    observed = results["true"] if "clean" in results else None
    seen = true if observed is None else np.concatenate([true, observed])
    size = np.abs(seen).max(axis=(0, 1))
    margin = np.maximum(0.08 * np.ptp(seen, axis=(0, 1)), 0.01 * np.where(size > 0, size, 1.0))
    low, high = seen.min(axis=(0, 1)) - margin, seen.max(axis=(0, 1)) + margin
    figure = plane_figure(5.2, low, high)
    axes = figure.add_subplot()
    known = system is not None and system.ordinary and bool(np.isfinite(system.defaults).all())
    if system is not None and known:
        draw_streamlines(axes, system, low, high)
    for index in range(len(true)):
        first = index == 0
        draw_true(axes, results, index, plane, truth_label(results) if first else None)
        draw_predicted(axes, results, index, plane, first)
        axes.plot(*true[index, 0], "o", ms=4, color=TRUE)
        if observed is not None:
            axes.plot(*observed[index].T, **POINTS, label=OBSERVED if first else None)
    axes.set(
        xlim=(low[0], high[0]),
        ylim=(low[1], high[1]),
        xlabel=component_label(results, 0),
        ylabel=component_label(results, 1),
    )
    equal_scales(axes, "box")
    where = " on the flow" if known else ""
    return finish(figure, axes, run_title(results, shown_label(results, where)), 3)


def draw_time_series(results: Results) -> Figure:
    """Up to CURVES components of a few test trajectories over time."""
    shown = min(4, len(results["true"]))
    components = len(results["config"].components)
    figure = new_figure(6.4, 1.3 * components + 0.8)
    grid = figure.subplots(components, shown, sharex=True, squeeze=False)
    for row in range(components):
        for column in range(shown):
            axes: Axes = grid[row][column]
            if "clean" in results:
                axes.plot(results["time"], results["true"][column, :, row], **SMALL_POINTS, label=OBSERVED)
            draw_true(axes, results, column, over_time(row), truth_label(results))
            draw_predicted(axes, results, column, over_time(row))
            widen(axes)
            if row == 0:
                axes.set_title(row_label(results, column), loc="left", fontsize=8)
            if column == 0:
                axes.set_ylabel(component_label(results, row))
            if row == components - 1:
                axes.set_xlabel(time_label(results))
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(run_title(results, shown_label(results)), x=0.02, ha="left", fontsize=10)
    return figure


def draw_loss(results: Results) -> Figure | None:
    """Training loss, smoothed as r = 0.9 r + 0.1 loss, and validation error over steps; a panel for each phase.

    Both are in raw units. The losses of older runs are in those that the network sees, and are called so.
    """
    phases = list(dict.fromkeys(row["phase"] for row in results["curve"]))
    if not phases:
        # A training that was stopped before its first line.
        return None
    standardised = results["config"].normalizer is not None and any(
        row.get("loss_units", STANDARDISED) == STANDARDISED for row in results["curve"]
    )
    units, raw = (" (standardised)", " (raw)") if standardised else ("", "")
    figure = new_figure(5.2 if len(phases) == 1 else 7.2, 3.4)
    panels = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
    for axes, phase in zip(panels, phases, strict=True):
        rows = [row for row in results["curve"] if row["phase"] == phase]
        steps = [row["step"] for row in rows]
        told = f"training, a batch{units}"
        axes.plot(steps, [row["loss"] for row in rows], color=BAND, lw=0.6, label=told)
        smoothed = [row["smoothed_loss"] for row in rows]
        axes.plot(steps, smoothed, color=BLUE, label=f"training, smoothed{units}")
        validated = [(row["step"], row["validation_mse"]) for row in rows if "validation_mse" in row]
        if validated:
            marker = "o" if len(validated) < 30 else None
            axes.plot(
                *zip(*validated, strict=True),
                color=PREDICTED,
                marker=marker,
                ms=3,
                label=f"validation{raw}",
            )
        axes.set(yscale="log", xlabel="optimiser steps")
        axes.margins(x=0.02)
    for axes, phase in zip(panels[1:], phases[1:], strict=True):
        axes.set_title(SECOND_ORDER if phase == "refine" else phase, loc="left")
    panels[0].set_ylabel("mean squared error")
    heading = run_title(results, ending(results["metrics"].get("training", {})))
    return finish(figure, panels[0], heading, 2 if units and len(phases) == 1 else 3)


def draw_error(results: Results) -> Figure:
    """Error over time: median and quantiles over the test trajectories, and its root mean square."""
    figure = new_figure(5.2, 3.4)
    axes = figure.add_subplot()
    time = results["time"]
    lowest, low, median, high, highest = results["error_quantiles"]
    axes.fill_between(time, lowest, highest, color=BAND, alpha=0.3, lw=0, label="5 to 95 %")
    axes.fill_between(time, low, high, color=BAND, alpha=0.6, lw=0, label="25 to 75 %")
    axes.plot(time, median, color=BLUE, label="median")
    rms = np.sqrt(results["metrics"]["test"]["mse_by_time"])
    axes.plot(time, rms, color=PREDICTED, ls="--", label="root mean square")
    floor = noise_floor(results)
    if floor is not None:
        axes.axhline(np.sqrt(floor), color=TRUE, lw=0.9, ls=":", label="noise")
    axes.set(
        yscale="log",
        xlabel=time_label(results),
        ylabel=f"error of a {'one-step forecast' if is_forecast(results) else 'test trajectory'}",
    )
    axes.margins(x=0.01)
    return finish(figure, axes, run_title(results), 4 if floor is None else 3)


def draw_rollout(results: Results) -> Figure | None:
    """A long rollout, see `rollout`; many components are images."""
    if "rollout_time" not in results:
        return None
    if len(results["config"].components) > CURVES:
        return _draw_images(results, "a rollout", "rollout_")
    return rollout_figure.draw_rollout(results)


def _draw_images(results: Results, what: str, prefix: str = "") -> Figure:
    """The first trajectory that moves: true, predicted, and the difference of the two."""
    if prefix:
        place = first_moving(results[f"{prefix}true"])
        true, label = results[f"{prefix}true"][place], CLEAN if is_noisy(results) else "true"
        row, name = rollout_row(results), "predicted"
    else:
        place = 0
        true, label, row, name = (
            truth(results)[0],
            truth_label(results),
            row_label(results, 0),
            predicted_label(results),
        )
    predicted = results[f"{prefix}predicted"][place]
    images = [(label, true), (name, predicted), ("difference of the two", predicted - true)]
    what += f", {row}" if row else ""
    figure = draw_images(images, results[f"{prefix}time"], time_label(results), results["config"].system)
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    return figure


def draw_predictors(results: Results) -> Figure:
    """Test error of the model beside the trivial predictors: dots, for a logarithmic axis has no origin for bars."""
    metrics = results["metrics"]
    entries = [(name.replace("-", " "), value["mse"]) for name, value in metrics["baselines"].items()]
    model = results["config"].learning.model.name.upper()
    entries = sorted([*entries, (model, metrics["test"]["mse"])], key=lambda entry: -entry[1])
    figure = new_figure(5.2, 0.32 * len(entries) + 1.0)
    axes = figure.add_subplot()
    names, values = zip(*entries, strict=True)
    noise = noise_floor(results)
    axes.hlines(
        range(len(values)), 0.0, 1.0, transform=axes.get_yaxis_transform(), color=FLOW, lw=0.5, zorder=0
    )
    for position, (name, value) in enumerate(entries):
        axes.plot(value, position, "o", color=PREDICTED if name == model else BLUE, ms=6)
        place: dict[str, Any] = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{value:.3g}", (value, position), **place, fontsize=8, bbox=PAPER)
    if noise is not None:
        axes.axvline(noise, color=TRUE, lw=0.9, ls=":", label="noise")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center")
    of = " of one-step forecasts" if is_forecast(results) else ""
    axes.set(xscale="log", xlabel=f"mean squared error{of} on the test split")
    axes.set_title(run_title(results), loc="left")
    axes.margins(x=0.2)
    axes.set_ylim(-0.6, len(values) - 0.4)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    return figure


DRAWINGS: dict[str, Callable[[Results], Figure | None]] = {
    "flow": draw_flow,
    "loss": draw_loss,
    "error": draw_error,
    "rollout": draw_rollout,
    "predictors": draw_predictors,
}
