"""Fields, and other states of many components, as images over time."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..dynamics.systems import System
from .style import new_figure

# Of images: where values have both signs, and where they do not.
SIGNED, UNSIGNED = "RdBu_r", "viridis"


def draw_images(
    images: list[tuple[str, np.ndarray, np.ndarray]], time_label: str, system: System | None
) -> Figure:
    """States (T, D) at times (T,), one image below the other, each with its name and all in the same colours.

    system  of a field, what is drawn upwards is the position; of any other, the number of the component
    """
    figure = new_figure(7.2, 1.9 * len(images) + 1.0)
    panels = figure.subplots(len(images), 1, sharex=True, squeeze=False)[:, 0]
    values = np.concatenate([states for _, _, states in images])
    shades = colours(float(np.nanmin(values)), float(np.nanmax(values)))
    where, label = places(system, values.shape[1])
    mesh = None
    for axes, (name, time, states) in zip(panels, images, strict=True):
        mesh = axes.pcolormesh(
            time,
            where,
            states.T,
            **shades,
            shading="nearest" if len(time) > 1 else "auto",
            rasterized=True,
        )
        axes.set(ylabel=label)
        axes.set_title(name, loc="left")
    panels[-1].set_xlabel(time_label)
    if mesh is not None:
        figure.colorbar(mesh, ax=list(panels), label=value_label(system), aspect=40, pad=0.02)
    return figure


def colours(low: float, high: float) -> dict[str, Any]:
    """The colour map of values in a range, and its ends: zero is white where there are both signs."""
    if low < 0 < high:
        return {"cmap": SIGNED, "vmin": -max(-low, high), "vmax": max(-low, high)}
    return {"cmap": UNSIGNED, "vmin": low, "vmax": high}


def value_label(system: System | None) -> str:
    return "value" if system is None or not system.spatial else "$u$"


def places(system: System | None, size: int) -> tuple[np.ndarray, str]:
    """Where so many components lie on an axis (size,), and its label: positions of a field, else numbers.

    Of a field whose rows have lengths of their own, positions are in parts of the length.
    """
    if system is None or not system.spatial:
        return np.arange(1, size + 1), "component"
    length = system.defaults[0]
    if not np.isfinite(length):
        return np.arange(size) / size, "position $x$ / length"
    return length / size * np.arange(size), f"position $x$, length {length:g}"
