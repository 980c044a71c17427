"""The plane of a delayed component: its value beside that of a while ago, as delay equations are commonly drawn."""

import numpy as np
from matplotlib.axes import Axes

from ..dynamics.systems import System
from ..dynamics.systems.delay import DelaySystem


def lag_of(system: System | None, time: np.ndarray) -> int | None:
    """The samples of an even grid (T,) that come nearest to the delay of a system of one component.

    None if it is none, if its rows have delays of their own, or if the grid is too coarse or too short.
    """
    if not isinstance(system, DelaySystem) or len(system.states) > 1 or len(time) < 2:
        return None
    delay = float(system.delay_values(system.default_rows(1))[0, 0])
    step = float(time[-1] - time[0]) / (len(time) - 1)
    if not (np.isfinite(delay) and step <= delay < time[-1] - time[0]):
        return None
    return round(delay / step)


def label_embedding(axes: Axes, name: str, time: np.ndarray, lag: int) -> None:
    """Label the axes; `name` is the component's, without dollar signs."""
    axes.set(xlabel=f"${name}(t - {time[lag] - time[0]:.4g})$", ylabel=f"${name}(t)$")


def embed(values: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Values (T,) `lag` samples ago, and those of now, each (T - lag,)."""
    return values[:-lag], values[lag:]
