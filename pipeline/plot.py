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

from .delay_embedding import embed, label_embedding, lag_of
from .figures import BAND, BLUE, FLOW, PREDICTED, STYLE, TRUE, new_figure, plain, save_figure, symbol
from .run import EVALUATION, FIGURES, METRICS, RunConfig, RunError, load_arrays, read_curve
from .space_time import CURVES, draw_images
from .systems import System

# The part of a rollout that is drawn in the phase plane: its end, when it has come to rest on the cycle.
SHOWN_END = 0.15
# Over time a rollout is drawn for so many periods of the system, or samples if these are more.
SHOWN_PERIODS, MIN_SHOWN = 24, 50
DASHED: dict[str, Any] = {"color": PREDICTED, "lw": 1.1, "ls": (0, (3, 2))}
SECOND_ORDER = "Levenberg-Marquardt"

Results = dict[str, Any]
"""`config` (RunConfig), `metrics` (metrics.json), `curve` (rows of metrics.jsonl), and evaluation.npz's arrays."""


def plot(run: Path, console: Console | None = None, out: Path | None = None) -> list[Path]:
    """Draw all figures of an evaluated run into a folder, RUN/figures if left out; their paths.

    Raises RunError if the folder is no run, or not yet evaluated.
    """
    results = _load(run)
    paths = []
    with mpl.rc_context(STYLE):
        for name, draw in DRAWINGS.items():
            figure = draw(results)
            if figure is None:
                continue
            paths.append((out or run / FIGURES) / f"{name}.png")
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
        return _draw_images(results, "a test trajectory")
    system: System | None = results["config"].system
    # The plane of two out of more states is no phase plane: trajectories cross in it.
    hidden = system is not None and list(system.states) != results["config"].components
    if len(results["config"].components) != 2 or hidden:
        return draw_time_series(results)
    true, predicted = results["true"], results["predicted"]
    figure = new_figure(5.2, 4.6)
    axes = figure.add_subplot()
    size = np.abs(true).max(axis=(0, 1))
    margin = np.maximum(0.08 * np.ptp(true, axis=(0, 1)), 0.01 * np.where(size > 0, size, 1.0))
    low, high = true.min(axis=(0, 1)) - margin, true.max(axis=(0, 1)) + margin
    known = False
    if system is not None and system.kind == System.kind and np.isfinite(system.defaults).all():
        known = True
        x, y = np.meshgrid(*(np.linspace(low[axis], high[axis], 60) for axis in (0, 1)))
        field = system.function(list(system.vector_field), "numpy")
        u, v = (np.broadcast_to(part, x.shape) for part in field(0.0, (x, y), system.defaults))
        axes.streamplot(x, y, u, v, color=FLOW, linewidth=0.6, arrowsize=0.7, density=1.3, zorder=0)
    for index in range(len(true)):
        labels = ("true", "predicted") if index == 0 else (None, None)
        axes.plot(*true[index].T, color=TRUE, lw=2.2, alpha=0.9, label=labels[0])
        axes.plot(*predicted[index].T, color=PREDICTED, lw=1.1, ls=(0, (3, 2)), label=labels[1])
        axes.plot(*true[index, 0], "o", ms=4, color=TRUE)
    axes.set(
        xlim=(low[0], high[0]),
        ylim=(low[1], high[1]),
        xlabel=_name(results, 0),
        ylabel=_name(results, 1),
    )
    where = " on the flow" if known else ""
    return _finish(figure, axes, f"{_title(results)}: test trajectories{where}", 2)


def draw_time_series(results: Results) -> Figure:
    """Up to CURVES components of a few test trajectories over time."""
    shown = min(4, len(results["true"]))
    components = len(results["config"].components)
    figure = new_figure(6.4, 1.3 * components + 0.8)
    grid = figure.subplots(components, shown, sharex=True, squeeze=False)
    for row in range(components):
        for column in range(shown):
            axes: Axes = grid[row][column]
            for name, colour, dashes in (("true", TRUE, "-"), ("predicted", PREDICTED, (0, (3, 2)))):
                axes.plot(results["time"], results[name][column, :, row], color=colour, ls=dashes, label=name)
            if column == 0:
                axes.set_ylabel(_name(results, row))
            if row == components - 1:
                axes.set_xlabel(_time_label(results))
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(f"{_title(results)}: test trajectories", x=0.02, ha="left", fontsize=10)
    return figure


def draw_loss(results: Results) -> Figure:
    """Training loss, smoothed as r = 0.9 r + 0.1 loss, and validation error over steps; a panel for each phase.

    The training loss is in the units that the network sees, the validation error in raw ones.
    """
    phases = list(dict.fromkeys(row["phase"] for row in results["curve"]))
    units = " (standardised)" if results["config"].normalizer else ""
    figure = new_figure(5.2 if len(phases) == 1 else 7.2, 3.4)
    panels = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
    for axes, phase in zip(panels, phases, strict=True):
        rows = [row for row in results["curve"] if row["phase"] == phase]
        steps = [row["step"] for row in rows]
        axes.plot(steps, [row["loss"] for row in rows], color=BAND, lw=0.6, label=f"training, a batch{units}")
        smoothed = [row["smoothed_loss"] for row in rows]
        axes.plot(steps, smoothed, color=BLUE, label=f"training, smoothed{units}")
        validated = [(row["step"], row["validation_mse"]) for row in rows if "validation_mse" in row]
        if validated:
            marker = "o" if len(validated) < 30 else None
            axes.plot(*zip(*validated, strict=True), color=PREDICTED, marker=marker, ms=3, label="validation")
        axes.set(yscale="log", xlabel="optimiser steps")
        axes.margins(x=0.02)
    for axes, phase in zip(panels[1:], phases[1:], strict=True):
        axes.set_title(SECOND_ORDER if phase == "refine" else phase, loc="left")
    panels[0].set_ylabel("mean squared error")
    return _finish(figure, panels[0], _title(results), 3)


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
    axes.set(
        yscale="log",
        xlabel=_time_label(results),
        ylabel="error of a test trajectory",
    )
    axes.margins(x=0.01)
    return _finish(figure, axes, _title(results), 4)


def draw_rollout(results: Results) -> Figure | None:
    """A long rollout: the first component over time, of some periods, and its end in the plane of two components.

    One component has no plane but that of itself one delay ago, if it has a delay; its end is shown over time. Many
    components are images.
    """
    if "rollout_time" not in results:
        return None
    if len(results["config"].components) > CURVES:
        return _draw_images(results, "a rollout", "rollout_")
    time, true, predicted = (results[f"rollout_{name}"] for name in ("time", "true", "predicted"))
    lengths = results["config"].learning.evaluation.rollout_lengths
    figure = new_figure(7.2, 3.4)
    left, right = figure.subplots(1, 2, width_ratios=(2.1, 1))
    period = results["config"].config["system"].get("period")
    shown = np.searchsorted(time, SHOWN_PERIODS * period) if isinstance(period, int | float) else len(time)
    begin = slice(max(int(shown), MIN_SHOWN))
    left.plot(time[begin], true[0, begin, 0], color=TRUE, lw=2.0, label="true")
    left.plot(time[begin], predicted[0, begin, 0], label="predicted", **DASHED)
    left.set(xlabel=_time_label(results), ylabel=_name(results, 0))
    title = f"{_title(results)}: {lengths} trajectory lengths, chained"
    figure.suptitle(title, x=0.02, ha="left", fontsize=10)
    left.margins(x=0.01)
    end = len(time) - max(2, round(SHOWN_END * len(time)))
    if len(results["config"].components) > 1:
        lag, labels = None, (_name(results, 0), _name(results, 1))
    else:
        lag, labels = lag_of(results["config"].system, time[end:]), (_time_label(results), _name(results, 0))
    right.set(xlabel=labels[0], ylabel=labels[1])
    if lag is not None:
        label_embedding(right, _name(results, 0).strip("$"), time, lag)
    for paths, style in ((true, {"color": TRUE, "lw": 2.0}), (predicted, DASHED)):
        path = paths[0, end:]
        plane = path[:, :2].T if path.shape[1] > 1 else (time[end:], path[:, 0])
        right.plot(*(plane if lag is None else embed(path[:, 0], lag)), **style)
    right.set_title(f"$t$ = {time[end]:.3g} to {time[-1]:.3g}", loc="left")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_images(results: Results, what: str, prefix: str = "") -> Figure:
    """The first trajectory: true, predicted, and the difference of the two."""
    true, predicted = (results[f"{prefix}{name}"][0] for name in ("true", "predicted"))
    images = [("true", true), ("predicted", predicted), ("predicted - true", predicted - true)]
    figure = draw_images(images, results[f"{prefix}time"], _time_label(results), results["config"].system)
    figure.suptitle(f"{_title(results)}: {what}", x=0.02, ha="left", fontsize=10)
    return figure


def draw_predictors(results: Results) -> Figure:
    """Test error of the model beside the trivial predictors, as bars on a logarithmic axis."""
    metrics = results["metrics"]
    entries = [(name.replace("-", " "), value["mse"]) for name, value in metrics["baselines"].items()]
    model = results["config"].learning.model.name.upper()
    entries = sorted([*entries, (model, metrics["test"]["mse"])], key=lambda entry: -entry[1])
    figure = new_figure(5.2, 0.32 * len(entries) + 1.0)
    axes = figure.add_subplot()
    names, values = zip(*entries, strict=True)
    floor = 10 ** (np.floor(np.log10(min(values))) - 0.3)
    colours = [PREDICTED if name == model else FLOW for name in names]
    axes.barh(range(len(values)), np.array(values) - floor, left=floor, color=colours, height=0.7)
    for position, value in enumerate(values):
        axes.annotate(f" {value:.2g}", (value, position), va="center", fontsize=8)
    axes.set(xscale="log", xlabel="mean squared error on the test split")
    axes.set_title(_title(results), loc="left")
    axes.set_xlim(floor, max(values) * 8)
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


def _finish(figure: Figure, axes: Axes, title: str, columns: int) -> Figure:
    """Title on the left, legend below the axes, clear of the data."""
    axes.set_title(title, loc="left")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.4)
    return figure


def _title(results: Results) -> str:
    described = results["config"].config["system"]
    values = {name: parameter.get("value") for name, parameter in described["parameters"].items()}
    shown = [f"{symbol(name)} = {value:g}" for name, value in values.items() if value is not None]
    return ", ".join([plain(described["name"]), *shown])


def _name(results: Results, component: int) -> str:
    return symbol(results["config"].components[component])


def _time_label(results: Results) -> str:
    unit = results["config"].config["system"].get("time_unit", "1")
    return "time $t$" if unit == "1" else f"time $t$ ({plain(unit)})"
