"""Where free runs go: the true attractor beside that of what is judged, and how often each component is where."""

import numpy as np
from matplotlib.figure import Figure

from ...judge.truth import CURVES
from ..run_labels import Results, component_label, model_label, run_title
from ..style import PREDICTED, TRUE, new_figure

BINS = 60
# Points of a portrait: a line of more is a blot.
PORTRAIT = 6_000


def draw_attractor(results: Results) -> Figure | None:
    """Phase portraits in the plane of the first and the last component, side by side, and a histogram of each.

    None where no free runs were made, or of many components.
    """
    components = len(results["config"].components)
    if "free_true" not in results or components > CURVES:
        return None
    true, predicted = results["free_true"], results["free_predicted"]
    shown = min(components, 3)
    figure = new_figure(2.4 * max(2, shown) + 0.6, 4.6)
    portraits, histograms = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.3, 1))[:, 0]
    axes = portraits.subplots(1, 2, sharex=True, sharey=True)
    sides = (("true", true, TRUE), (model_label(results), predicted, PREDICTED))
    first, last = (0, components - 1) if components > 1 else (0, 0)
    for panel, (name, states, colour) in zip(axes, sides, strict=True):
        part = states[:PORTRAIT]
        if components > 1:
            panel.plot(part[:, first], part[:, last], color=colour, lw=0.35)
        else:
            panel.plot(part[:-1, 0], part[1:, 0], color=colour, lw=0, marker=".", ms=1)
        panel.set_title(name, loc="left")
        panel.set_xlabel(component_label(results, first))
    axes[0].set_ylabel(component_label(results, last))
    low, high = true.min(axis=0), true.max(axis=0)
    margin = 0.15 * np.where(high > low, high - low, 1.0)
    axes[0].set(xlim=(low[first] - margin[first], high[first] + margin[first]))
    axes[0].set(ylim=(low[last] - margin[last], high[last] + margin[last]))
    panels = np.atleast_1d(histograms.subplots(1, shown, sharey=False))
    for component, panel in enumerate(panels):
        edges = np.linspace(low[component] - margin[component], high[component] + margin[component], BINS + 1)
        for name, states, colour in sides:
            values = states[np.isfinite(states[:, component]), component]
            # In parts of all points: a run may be where the truth never is.
            counts = np.histogram(values, edges)[0] / max(1, len(values))
            panel.stairs(counts / np.diff(edges), edges, color=colour, label=name, lw=1.1)
        panel.set(xlabel=component_label(results, component), yticks=[])
    panels[0].set_ylabel("density")
    points = results["metrics"]["rollout"]["statistics"]["points"]
    figure.suptitle(run_title(results, f"a free run of {points:,} points"), x=0.02, ha="left", fontsize=10)
    return figure
