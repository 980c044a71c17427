"""Phase portraits side by side: of the truth, of what is judged, and of baselines."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..run_labels import Results, component_label, model_label, run_title
from ..style import PREDICTED, ROW_COLOURS, TRUE, equal_scales, new_figure

# Baselines that are shown, beside two that say nothing of a field.
MOST, LEFT_OUT = 2, ("persistence", "zero", "mean", "rotation")
MARGIN = 0.12
BESIDE = "portrait_of_"

Portrait = tuple[str, np.ndarray, str]
"""A name, rollouts (N, T, D), and a colour."""


def draw_portraits(results: Results) -> Figure | None:
    """Rollouts in the plane of a coordinate and its momentum, or of the first two components.

    None where no fields were learned and nothing has an energy, or of one component.
    """
    if "portrait_numbers" not in results or len(results["config"].components) < 2:
        return None
    numbers = results["portrait_numbers"]
    names = [key.removeprefix(BESIDE) for key in results if key.startswith(BESIDE)]
    names = [name for name in names if name not in LEFT_OUT][:MOST]
    portraits: list[Portrait] = [
        ("true", results["rollout_true"][numbers], TRUE),
        (model_label(results), results["rollout_predicted"][numbers], PREDICTED),
        *((name, results[BESIDE + name], ROW_COLOURS[0]) for name in names),
    ]
    figure = new_figure(2.5 * len(portraits) + 0.5, 3.2)
    panels = figure.subplots(1, len(portraits), sharex=True, sharey=True, squeeze=False)[0]
    for axes, portrait in zip(panels, portraits, strict=True):
        draw_portrait(axes, results, portrait)
        equal_scales(axes, "box")
    panels[0].set_ylabel(component_label(results, plane_of(results)[1]))
    last = results["rollout_time"][-1]
    what = f"rollouts to $t$ = {last:.4g} in the plane"
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    return figure


def draw_portrait(axes: Axes, results: Results, portrait: Portrait) -> None:
    """Within the range of the true rollouts."""
    name, states, colour = portrait
    across, up = plane_of(results)
    for path in states:
        axes.plot(path[:, across], path[:, up], color=colour, lw=0.6)
        axes.plot(*path[0, [across, up]], "o", color=TRUE, ms=2.5)
    true = results["rollout_true"][results["portrait_numbers"]][..., [across, up]]
    low, high = true.min(axis=(0, 1)), true.max(axis=(0, 1))
    margin = MARGIN * np.where(high > low, high - low, 1.0)
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    axes.set_title(name, loc="left")
    axes.set_xlabel(component_label(results, across))


def plane_of(results: Results) -> tuple[int, int]:
    """Of which components portraits are."""
    q, p = results["hamiltonian_pairs"][0] if "hamiltonian_pairs" in results else (0, 1)
    return int(q), int(p)
