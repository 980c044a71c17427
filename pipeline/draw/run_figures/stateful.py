"""A row run over one step at a time: what goes in, what is to come out and what does; and errors by step."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from ...judge.movement import first_moving
from ..run_labels import DASHED, Results, component_label, input_label, model_label, run_title, time_label
from ..style import BLUE, PREDICTED, TRUE, new_figure, positive

# Points of the row, and components, that are shown.
SHOWN_POINTS, SHOWN_COMPONENTS = 120, 3
# Of the steps of a curve, the first ones.
MARKED = 20


def draw_stateful(results: Results) -> Figure | None:
    """The beginning of a row that moves, inputs above targets; and root mean square errors by step, of whole rows and
    of windows, beside the mean of the targets. None where no rows were run over.
    """
    if "stateful_time" not in results:
        return None
    outputs = min(results["stateful_true"].shape[2], SHOWN_COMPONENTS)
    figure = new_figure(7.2, 1.1 * (1 + outputs) + 2.2)
    heights = [0.8, *[1.0] * outputs, 1.7]
    *panels, last = figure.subplots(2 + outputs, 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_row(panels, results)
    _draw_errors(last, results)
    points = results["metrics"]["test"]["stateful_points"]
    what = f"{model_label(results)} run over rows of {points:,} points, one at a time"
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    return figure


def _draw_row(panels: list[Axes], results: Results) -> None:
    true, predicted, inputs = (results[f"stateful_{name}"] for name in ("true", "predicted", "inputs"))
    shown = slice(SHOWN_POINTS)
    row = first_moving(true[:, shown])
    time, given_at = results["stateful_time"][shown], results["stateful_input_time"][shown]
    given = panels[0]
    for component in range(min(inputs.shape[2], SHOWN_COMPONENTS)):
        given.plot(given_at, inputs[row, shown, component], lw=1.0, label=input_label(results, component))
    given.set_ylabel("inputs" if inputs.shape[2] > 1 else input_label(results, 0))
    if inputs.shape[2] > 1:
        _legend(given, SHOWN_COMPONENTS)
    for component, axes in enumerate(panels[1:]):
        axes.plot(time, true[row, shown, component], color=TRUE, lw=1.3, label="true")
        axes.plot(time, predicted[row, shown, component], **DASHED, label="predicted")
        axes.set_ylabel(component_label(results, component))
    for axes in panels:
        axes.margins(x=0.01)
        axes.sharex(panels[-1])
        axes.tick_params(labelbottom=axes is panels[-1])
    panels[-1].set_xlabel(time_label(results))
    _legend(panels[1], 2)


def _draw_errors(axes: Axes, results: Results) -> None:
    test = results["metrics"]["test"]
    curves = (
        ("test windows", test["mse_by_time"], {"color": BLUE, "marker": "o", "ms": 4}),
        ("whole rows", test.get("stateful_mse_by_time", []), {"color": PREDICTED, "marker": ".", "lw": 0.8}),
    )
    for name, values, style in curves:
        steps = 1 + np.arange(len(values))
        marked = steps[:MARKED] - 1
        axes.plot(steps, positive(np.sqrt(values)), **style, markevery=marked, label=name)
    mean = results["metrics"]["baselines"].get("mean")
    if mean is not None:
        axes.axhline(np.sqrt(mean["mse"]), color=TRUE, lw=0.9, ls=":", label="the mean of the targets")
    axes.set(xscale="log", yscale="log", xlabel="step, from the first", ylabel="RMS error")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    _legend(axes, 3)


def _legend(axes: Axes, columns: int) -> None:
    """Above the axes, where no curve runs."""
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.0}
    axes.legend(**place, fontsize=7, ncols=columns)
