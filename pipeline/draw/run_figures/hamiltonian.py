"""The energy that a network has learned, beside the true one."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ..run_labels import Results, component_label, finish, model_label, run_title
from ..style import BLUE, PREDICTED, TRUE, equal_scales, new_figure, plane_figure

# Lines of equal energy.
LEVELS = 14
CONTOURS = "viridis"
# Rollouts on them.
SHOWN = 4


def draw_hamiltonian(results: Results) -> Figure | None:
    """Of one coordinate: lines of equal energy in its plane, true and learned, and trajectories on them. Of more: the
    learned energy over the true one. Both but for a constant.

    None where no energy was learned, or nothing can be drawn of it.
    """
    if "hamiltonian_grid" in results:
        return _draw_planes(results)
    return _draw_scatter(results) if "hamiltonian_true" in results else None


def draw_contours(
    axes: Axes, results: Results, energy: np.ndarray, levels: np.ndarray, colour: str | None = None
) -> None:
    """Lines of an energy (GRID, GRID) in the plane of coordinate and momentum, coloured by it or all alike."""
    shades: Any = {"cmap": CONTOURS} if colour is None else {"colors": colour}
    q, p = results["hamiltonian_pairs"][0]
    across, up = results["hamiltonian_axes"][[q, p]]
    axes.contour(across, up, energy if q == 0 else energy.T, levels, **shades, linewidths=0.8, zorder=1)
    axes.set(xlim=across[[0, -1]], ylim=up[[0, -1]])
    axes.set(xlabel=component_label(results, q), ylabel=component_label(results, p))


def levels_of(energy: np.ndarray) -> np.ndarray:
    """Of lines of equal energy, closer to the least, as are those of a well of equally wide steps."""
    low, high = float(energy.min()), float(energy.max())
    return low + (high - low) * np.linspace(0.0, 1.0, LEVELS + 1)[1:] ** 2


def shifted(results: Results) -> np.ndarray:
    """The learned energy over the plane, with the constant at which it is nearest to the true one."""
    learned = results["hamiltonian_grid"]
    if "hamiltonian_true" not in results:
        return learned - learned.min()
    return learned + np.mean(results["hamiltonian_true"] - results["hamiltonian_learned"])


def _draw_planes(results: Results) -> Figure:
    true, learned = results.get("hamiltonian_grid_true"), shifted(results)
    levels = levels_of(learned if true is None else true)
    q, p = results["hamiltonian_pairs"][0]
    low, high = results["hamiltonian_axes"][:, 0][[q, p]], results["hamiltonian_axes"][:, -1][[q, p]]
    panels = [("true", true, "rollout_true", TRUE)] if true is not None else []
    panels.append((f"learned by {model_label(results)}", learned, "rollout_predicted", PREDICTED))
    single = plane_figure(3.4, low, high)
    figure = new_figure(3.3 * len(panels) + 0.9, single.get_figheight() + 0.4)
    all_axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (name, energy, rollouts, colour) in zip(all_axes, panels, strict=True):
        draw_contours(axes, results, energy, levels)
        if rollouts in results:
            count = len(results[rollouts])
            for row in np.linspace(0, count - 1, min(SHOWN, count)).astype(int):
                path = results[rollouts][row]
                axes.plot(path[:, q], path[:, p], ".", color=colour, ms=1.8, mew=0, zorder=3)
        axes.set_title(name, loc="left")
        equal_scales(axes, "box")
    all_axes[-1].set_ylabel("" if len(panels) > 1 else all_axes[-1].get_ylabel())
    bar = figure.colorbar(
        ScalarMappable(Normalize(levels[0], levels[-1]), CONTOURS), ax=list(all_axes), aspect=30, pad=0.02
    )
    bar.set_label("energy")
    what = "lines of equal energy, and rollouts" if "rollout_true" in results else "lines of equal energy"
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    return figure


def _draw_scatter(results: Results) -> Figure:
    true, learned = results["hamiltonian_true"], results["hamiltonian_learned"]
    learned = learned + np.mean(true - learned)
    figure = new_figure(4.4, 4.4)
    axes = figure.add_subplot()
    axes.plot(true, learned, ".", color=BLUE, ms=2.5, mew=0, label=f"states of the test split, {len(true):,}")
    ends = [min(true.min(), learned.min()), max(true.max(), learned.max())]
    axes.plot(ends, ends, color=TRUE, lw=0.8, ls=":", label="right")
    axes.set(xlabel="true energy", ylabel=f"energy learned by {model_label(results)}, but for a constant")
    equal_scales(axes, "box")
    return finish(figure, axes, run_title(results), 2)
