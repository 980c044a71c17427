"""The figure of what the models of a study foretell of the same trajectories, and of their errors by time."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..draw.run_figures.flow import draw_plane, is_phase_plane
from ..draw.run_labels import Results, component_label, run_title, shown_label, time_label, truth_label
from ..draw.style import ROW_COLOURS, new_figure, plain, positive
from ..draw.true_curves import draw_predicted, draw_true, over_time
from .figures import JudgedRun

COLUMNS = 3
# More models than these nobody looks at one by one.
MOST_MODELS = 16
LONGEST = 34
# Inches of a panel, with what is written around it.
WIDTH, HEIGHT = 2.7, 2.9

Group = list[JudgedRun]
"""Runs that differ by their seed alone."""


def draw_side_by_side(runs: Sequence[JudgedRun]) -> Figure | None:
    """A panel of true and predicted test trajectories for each model, of its first seed; and the error by time of all
    models of a dataset, medians over seeds.

    Two components are shown in their plane, over the flow field where it is known; of others the first over time.
    None where there are too many models to look at.
    """
    datasets: dict[str, dict[str, Group]] = {}
    for run in runs:
        datasets.setdefault(run.dataset, {}).setdefault(run.model, []).append(run)
    if sum(map(len, datasets.values())) > MOST_MODELS:
        return None
    columns = min(COLUMNS, 1 + max(map(len, datasets.values())))
    heights = [-(-(len(models) + 1) // columns) for models in datasets.values()]
    figure = new_figure(WIDTH * columns, HEIGHT * sum(heights) + 0.6)
    grid, above = figure.add_gridspec(sum(heights), columns), 0
    colours = dict(zip(dict.fromkeys(run.model for run in runs), cycle(ROW_COLOURS), strict=False))
    on_flow = []
    for (dataset, models), height in zip(datasets.items(), heights, strict=True):
        panels = [
            figure.add_subplot(grid[above + number // columns, number % columns])
            for number in range(len(models) + 1)
        ]
        above += height
        for number, (label, group) in enumerate(models.items()):
            axes = panels[number]
            on_flow.append(_draw_trajectories(axes, group[0].results))
            _label(axes, group[0].results, number % columns == 0, number + columns >= len(models))
            name = label if len(datasets) == 1 else f"{dataset}: {label}"
            mse = np.median([run.results["metrics"]["test"]["mse"] for run in group])
            axes.set_title(f"{plain(name[:LONGEST])}\ntest MSE {mse:.2g}", loc="left")
        _draw_errors(panels[-1], models, colours)
    where = " on the flow" if all(on_flow) else ""
    titles = {run_title(run.results, shown_label(run.results, where)) for run in runs}
    if len(titles) == 1:
        figure.suptitle(titles.pop(), x=0.02, ha="left")
    told: dict[str, Artist] = {}
    for axes in figure.axes:
        told |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(list(told.values()), list(told), loc="outside lower center", ncols=4)
    return figure


def _draw_trajectories(axes: Axes, results: Results) -> bool:
    """Whether they lie over the flow field."""
    if is_phase_plane(results):
        axes.locator_params(nbins=6, steps=[1, 2, 5, 10])
        return draw_plane(axes, results)
    for row in range(len(results["true"])):
        draw_true(axes, results, row, over_time(0), None if row else truth_label(results))
        draw_predicted(axes, results, row, over_time(0), not row)
    return False


def _label(axes: Axes, results: Results, left: bool, low: bool) -> None:
    """Name what an axis shows where no neighbour does."""
    in_plane = is_phase_plane(results)
    if low:
        axes.set_xlabel(component_label(results, 0) if in_plane else time_label(results))
    if left:
        axes.set_ylabel(component_label(results, int(in_plane)))


def _draw_errors(axes: Axes, models: dict[str, Group], colours: dict[str, str]) -> None:
    """The root mean square error at each time, over all samples of the test split."""
    for label, group in models.items():
        squares = np.median([run.results["metrics"]["test"]["mse_by_time"] for run in group], axis=0)
        time = group[0].results["time"]
        axes.plot(
            time,
            positive(np.sqrt(squares)),
            color=colours[label],
            marker=".",
            ms=3,
            label=plain(label[:LONGEST]),
        )
    first = next(iter(models.values()))[0]
    axes.set(yscale="log", xlabel=time_label(first.results), ylabel="root mean square error")
    axes.set_title("error by time\nof all test samples", loc="left")
    # Names between panels would push these apart.
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.spines[["left", "right"]].set_visible(False)
    axes.spines["right"].set_visible(True)
