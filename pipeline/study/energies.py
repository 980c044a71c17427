"""The figure of learned fields: phase portraits of the truth and of each model, and how these keep the energy."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..draw.run_figures.energy import drift_of
from ..draw.run_figures.hamiltonian import draw_contours, levels_of, shifted
from ..draw.run_figures.portraits import draw_portrait, plane_of
from ..draw.run_labels import Results, component_label, time_label
from ..draw.style import FLOW, ROW_COLOURS, TRUE, equal_scales, new_figure, plain, positive
from .figures import JudgedRun

# More panels than these nobody looks at one by one.
MOST_PANELS, LONGEST = 48, 30
# What tells of the energy, and of the plane that all panels of a dataset show.
KNOWN = ("hamiltonian_grid_true", "hamiltonian_pairs")
# Points of rollouts: of fewer there is no way to look at.
SHORTEST = 3
# Inches of a panel, with what is written around it.
WIDTH, HEIGHT = 2.5, 2.9


def draw_energies(runs: Sequence[JudgedRun]) -> Figure | None:
    """A row for each dataset whose system has an energy: rollouts of the truth and of each model's first seed in the
    plane of a coordinate and its momentum, with lines of equal energy where it is known; and how far the energy is
    from that of the start, the median over rollouts.

    None where no rollout has an energy and a few points, or there are too many models to look at.
    """
    datasets: dict[str, dict[str, Results]] = {}
    for run in runs:
        if not {"energy_true", "portrait_numbers"} <= run.results.keys():
            continue
        if len(run.results["rollout_time"]) >= SHORTEST:
            datasets.setdefault(run.dataset, {}).setdefault(run.model, run.results)
    columns = 2 + max(map(len, datasets.values()), default=0)
    if not datasets or columns * len(datasets) > MOST_PANELS:
        return None
    figure = new_figure(WIDTH * columns + 0.4, HEIGHT * len(datasets) + 0.3)
    all_panels = figure.subplots(len(datasets), columns, squeeze=False)
    colours = dict(zip(dict.fromkeys(run.model for run in runs), cycle(ROW_COLOURS), strict=False))
    for panels, (dataset, models) in zip(all_panels, datasets.items(), strict=True):
        # Of all runs of a dataset the truth is one, and one may know more of the energy.
        results = max(models.values(), key=lambda each: [name in each for name in KNOWN])
        numbers = results["portrait_numbers"]
        true = (f"{plain(dataset[:LONGEST])}\ntrue", results["rollout_true"][numbers], TRUE)
        draw_portrait(panels[0], results, true)
        levels = None
        if "hamiltonian_grid_true" in results:
            levels = levels_of(results["hamiltonian_grid_true"])
            draw_contours(panels[0], results, results["hamiltonian_grid_true"], levels, FLOW)
        q, p = plane_of(results)
        panels[0].set_ylabel(component_label(results, p))
        for axes, (label, own) in zip(panels[1:-1], models.items(), strict=False):
            _draw_model(axes, results, own, label, colours[label], levels)
        for axes in panels[1 + len(models) : -1]:
            axes.set_axis_off()
        for axes in panels[: 1 + len(models)]:
            axes.set(xlim=panels[0].get_xlim(), ylim=panels[0].get_ylim())
            axes.set_xlabel(component_label(results, q))
            equal_scales(axes, "box")
        _draw_drift(panels[-1], models, colours)
    return figure


def _draw_model(
    axes: Axes, plane: Results, own: Results, label: str, colour: str, levels: np.ndarray | None
) -> None:
    """Its rollouts in the plane of all, over the energy that it has learned, if it has one."""
    error = own["metrics"]["rollout"].get("energy_mse")
    told = "no rollout is finite" if error is None else f"energy MSE {error:.2g}"
    states = own["rollout_predicted"][own["portrait_numbers"]]
    draw_portrait(axes, own | _pairs(plane), (f"{plain(label[:LONGEST])}\n{told}", states, colour))
    if "hamiltonian_grid" in own and levels is not None:
        draw_contours(axes, own, shifted(own), levels, FLOW)
    axes.set_ylabel("")


def _pairs(results: Results) -> Results:
    return {key: results[key] for key in ("hamiltonian_pairs",) if key in results}


def _draw_drift(axes: Axes, models: dict[str, Results], colours: dict[str, str]) -> None:
    for label, results in models.items():
        start, time = results["energy_true"][:, :1], results["rollout_time"][1:]
        drift = drift_of(results["energy_predicted"], start)[1]
        axes.plot(time, positive(drift), color=colours[label], lw=1.1, label=plain(label[:LONGEST]))
    first = next(iter(models.values()))
    true = drift_of(first["energy_true"], first["energy_true"][:, :1])[1]
    axes.plot(
        first["rollout_time"][1:], positive(true), color=TRUE, lw=0.9, ls=":", label="truth, as integrated"
    )
    axes.set(yscale="log", xlabel=time_label(first))
    axes.set_title("error of the energy\nby time, median", loc="left")
    # Names between panels would push these apart.
    axes.yaxis.tick_right()
    axes.spines[["left", "right"]].set_visible(False)
    axes.spines["right"].set_visible(True)
    axes.legend(fontsize=7, loc="best")
