"""Test trajectories: in the plane over the flow, over time, or as images."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...dynamics.systems import System
from ...judge.truth import CURVES
from ..flow import draw_streamlines
from ..run_labels import (
    OBSERVED,
    POINTS,
    SMALL_POINTS,
    Results,
    component_label,
    finish,
    is_forecast,
    row_label,
    run_title,
    shown_label,
    time_label,
    truth,
    truth_label,
)
from ..style import TRUE, equal_scales, new_figure, plane_figure, widen
from ..true_curves import draw_predicted, draw_true, over_time, plane
from .states import draw_states


def draw_flow(results: Results) -> Figure | None:
    """The plane: true and predicted trajectories, over the flow field where the equations are known.

    More components over time, many as images.
    """
    if len(results["config"].target_names) > CURVES:
        return draw_states(results, "one-step forecasts" if is_forecast(results) else "a test trajectory")
    if not is_phase_plane(results):
        return draw_time_series(results)
    figure = plane_figure(5.2, *_limits(results))
    axes = figure.add_subplot()
    where = " on the flow" if draw_plane(axes, results) else ""
    axes.set(xlabel=component_label(results, 0), ylabel=component_label(results, 1))
    return finish(figure, axes, run_title(results, shown_label(results, where)), 3)


def is_phase_plane(results: Results) -> bool:
    """Have the trajectories two components, which are all states of the system as far as it is known?"""
    names, system = results["config"].target_names, results["config"].system
    # The plane of two out of more states is no phase plane: trajectories cross in it.
    return len(names) == 2 and (system is None or list(system.states) == names)


def draw_plane(axes: Axes, results: Results) -> bool:
    """True and predicted trajectories in the phase plane, as far as the true ones reach; whether over the flow."""
    system: System | None = results["config"].system
    (low, high), true = _limits(results), truth(results)
    known = system is not None and system.ordinary and bool(np.isfinite(system.defaults).all())
    if system is not None and known:
        draw_streamlines(axes, system, low, high)
    for index in range(len(true)):
        first = index == 0
        draw_true(axes, results, index, plane, truth_label(results) if first else None)
        draw_predicted(axes, results, index, plane, first)
        axes.plot(*true[index, 0], "o", ms=4, color=TRUE)
        if "clean" in results:
            axes.plot(*results["true"][index].T, **POINTS, label=OBSERVED if first else None)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    equal_scales(axes, "box")
    return known


def _limits(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """The corners (2,) of what is shown of the plane: all that is true or was observed, and a margin."""
    true = truth(results)
    seen = np.concatenate([true, results["true"]]) if "clean" in results else true
    size = np.abs(seen).max(axis=(0, 1))
    margin = np.maximum(0.08 * np.ptp(seen, axis=(0, 1)), 0.01 * np.where(size > 0, size, 1.0))
    return seen.min(axis=(0, 1)) - margin, seen.max(axis=(0, 1)) + margin


def draw_time_series(results: Results) -> Figure:
    """Up to CURVES components of a few test trajectories over time."""
    shown = min(4, len(results["true"]))
    components = len(results["config"].target_names)
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
