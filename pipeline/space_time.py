"""Fields, and other states of many components, as images over time."""

import numpy as np
from matplotlib.figure import Figure

from .figures import new_figure
from .systems import System

# More components than these are an image, fewer are curves.
CURVES = 6
# Of images: where values have both signs, and where they do not.
SIGNED, UNSIGNED = "RdBu_r", "viridis"


def draw_images(
    images: list[tuple[str, np.ndarray]], time: np.ndarray, time_label: str, system: System | None
) -> Figure:
    """States (T, D), one image below the other, each with its name and all in the same colours.

    time    (T,)
    system  of a field, what is drawn upwards is the position; of any other, the number of the component
    """
    figure = new_figure(7.2, 1.9 * len(images) + 1.0)
    panels = figure.subplots(len(images), 1, sharex=True, squeeze=False)[:, 0]
    values = np.stack([states for _, states in images])
    low, high = float(values.min()), float(values.max())
    signed = low < 0 < high
    if signed:
        high = max(-low, high)
        low = -high
    places, label = _places(system, values.shape[2])
    mesh = None
    for axes, (name, states) in zip(panels, images, strict=True):
        mesh = axes.pcolormesh(
            time,
            places,
            states.T,
            cmap=SIGNED if signed else UNSIGNED,
            vmin=low,
            vmax=high,
            shading="nearest" if len(time) > 1 else "auto",
            rasterized=True,
        )
        axes.set(ylabel=label)
        axes.set_title(name, loc="left")
    panels[-1].set_xlabel(time_label)
    if mesh is not None:
        name = "value" if system is None or not system.spatial else "$u$"
        figure.colorbar(mesh, ax=list(panels), label=name, aspect=40, pad=0.02)
    return figure


def _places(system: System | None, size: int) -> tuple[np.ndarray, str]:
    if system is not None and system.spatial:
        length = system.defaults[0]
        if np.isfinite(length):
            return length / size * np.arange(size), "position $x$"
    return np.arange(1, size + 1), "component"
