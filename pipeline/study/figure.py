"""The figure of a study: one metric of every model, baseline and floor, a panel for each dataset."""

from collections.abc import Sequence
from textwrap import shorten

import numpy as np
from matplotlib.figure import Figure

from ..draw.style import BLUE, FLOW, PREDICTED, TRUE, new_figure, plain
from .results import Row, label_of
from .table import Line, Table

# Values that are further apart are shown on a logarithmic axis.
FAR = 30.0
LONGEST = 30
# More datasets than these nobody looks at one by one.
MOST_PANELS = 16


def draw_table(table: Table, rows: Sequence[Row], metric: str) -> Figure | None:
    """Dots: medians large, single seeds small; a line for the floor.

    None where no one has the metric, or there are too many datasets to look at.
    """
    panels = {
        name: [line for line in lines if metric in line.values] for name, lines in table.datasets.items()
    }
    panels = {name: lines for name, lines in panels.items() if any(line.kind != "floor" for line in lines)}
    if not panels or len(panels) > MOST_PANELS:
        return None
    heights = [max(2, sum(line.kind != "floor" for line in lines)) for lines in panels.values()]
    figure = new_figure(6.2, 0.24 * sum(heights) + 0.55 * len(panels) + 0.5)
    all_axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    values = [line.values[metric] for lines in panels.values() for line in lines if line.kind != "floor"]
    far = min(values) > 0 and max(values) > FAR * min(values)
    floors = {
        name: [
            line.values[metric]
            for line in lines
            if line.kind == "floor" and (line.values[metric] > 0 or not far)
        ]
        for name, lines in panels.items()
    }
    for axes, (dataset, lines) in zip(all_axes, panels.items(), strict=True):
        shown = [line for line in lines if line.kind != "floor"]
        axes.set(yticks=range(len(shown)), ylim=(len(shown) - 0.5, -0.5), xscale="log" if far else "linear")
        axes.set_yticklabels([plain(shorten(line.label, LONGEST, placeholder=" …")) for line in shown])
        axes.hlines(
            range(len(shown)), 0, 1, transform=axes.get_yaxis_transform(), color=FLOW, lw=0.5, zorder=0
        )
        for place, line in enumerate(shown):
            seeds = _seeds(rows, dataset, line, metric)
            axes.plot(seeds, np.full(len(seeds), place), ".", color=_colour(line), ms=4, alpha=0.6)
            hollow = {"mfc": "none"} if line.kind == "published" else {}
            axes.plot(line.values[metric], place, "o", color=_colour(line), ms=6, **hollow)
        for floor in floors.get(dataset, []):
            axes.axvline(floor, color=TRUE, lw=0.8, ls=":")
        axes.set_title(plain(dataset), loc="left", fontsize=9)
    all_axes[-1].set_xlabel(f"{metric}; dotted: floor" if any(floors.values()) else metric)
    return figure


def _colour(line: Line) -> str:
    return PREDICTED if line.kind == "model" else BLUE if line.kind == "baseline" else TRUE


def _seeds(rows: Sequence[Row], dataset: str, line: Line, metric: str) -> list[float]:
    return [
        row.metrics[metric]
        for row in rows
        if row.dataset == dataset
        and row.kind == line.kind
        and line.label == label_of(row.model, row.varied)
        and metric in row.metrics
    ]
