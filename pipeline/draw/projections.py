"""Rows of many components in a plane: in the directions in which they vary most, or as orbits of bodies."""

from collections.abc import Sequence
from itertools import combinations, cycle

import numpy as np
from matplotlib.figure import Figure

from ..describe.phrases import percentage
from .dataset_labels import finish
from .dataset_sample import DatasetSample
from .style import ROW_COLOURS, equal_scales, new_figure

# Rows that are shown, and directions.
PROJECTED, DIRECTIONS = 3, 3

Rows = Sequence[tuple[str, np.ndarray]]
"""Names of rows, and their states (T, D)."""


def draw_principal(sample: DatasetSample, rows: Rows, states: Sequence[np.ndarray]) -> Figure:
    """Rows in the planes of the three directions in which all these states (T, D) together vary most."""
    figure = new_figure(8.4, 3.4)
    panels = figure.subplots(1, DIRECTIONS)
    what = "principal components"
    if rows:
        together = np.concatenate([path.astype(float) for path in states])
        centre = together.mean(axis=0)
        directions, shares = principal_directions(together - centre)
        for axes, pair in zip(panels, combinations(range(DIRECTIONS), 2), strict=True):
            for colour, (name, path) in zip(ROW_COLOURS, rows, strict=False):
                projected = (path - centre) @ directions[list(pair)].T
                axes.plot(*projected.T, color=colour, lw=0.8, alpha=0.8, label=name)
                axes.plot(*projected[0], "o", ms=3, color=colour)
            names = [f"component {axis + 1} ({percentage(shares[axis], 1.0)})" for axis in pair]
            axes.set(xlabel=names[0], ylabel=names[1])
            equal_scales(axes, "box")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=PROJECTED)
        what += f" of {together.shape[1]}, with their shares of the variance"
    return finish(figure, sample, what, legend=False)


def principal_directions(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions (D, D) of centred states (N, D) and their shares (D,) of the variance, the largest first."""
    sizes, directions = np.linalg.eigh(states.T @ states)
    return directions.T[::-1], sizes[::-1] / max(sizes.sum(), np.finfo(float).tiny)


def draw_orbits(sample: DatasetSample, rows: Rows, bodies: Sequence[tuple[int, int]]) -> Figure:
    """The orbits of a few rows, a panel a row, a colour a body; a body is drawn where its row ends.

    bodies  the components that are the places x and y of each
    """
    figure = new_figure(8.4, 3.4)
    panels = figure.subplots(1, PROJECTED)
    for axes, (name, states) in zip(panels, rows, strict=False):
        for colour, pair in zip(cycle(ROW_COLOURS), bodies, strict=False):
            axes.plot(*states[:, pair].T, color=colour, lw=0.9, alpha=0.8)
            axes.plot(*states[-1, pair], "o", ms=4, color=colour)
        axes.set(xlabel="$q_x$", ylabel="$q_y$", aspect="equal")
        axes.set_adjustable("datalim")
        axes.set_title(name, loc="left")
    for axes in panels[len(rows) :]:
        axes.axis("off")
    return finish(figure, sample, "orbits of the bodies", legend=False)


def places_of_bodies(components: Sequence[str]) -> list[tuple[int, int]]:
    """The components that are places in a plane, (x, y) of each body: those called qx1, qy1, qx2, qy2, ..."""
    found = {name: place for place, name in enumerate(components)}
    numbers = [name.removeprefix("qx") for name in components if name.startswith("qx")]
    return [(found[f"qx{number}"], found[f"qy{number}"]) for number in numbers if f"qy{number}" in found]
