"""The flow of a planar system, or the directions of a scalar one over time, behind what is drawn of it."""

import numpy as np
from matplotlib.axes import Axes

from ..dynamics.systems import System
from .style import FLOW


def draw_streamlines(
    axes: Axes, system: System, low: np.ndarray, high: np.ndarray, time: float = 0.0
) -> None:
    """Grey streamlines from `low` (2,) to `high` (2,), at the system's own parameters, which the axes then show.

    time  at which a planar system has this flow
    """
    x, y = np.meshgrid(*(np.linspace(low[axis], high[axis], 50) for axis in (0, 1)))
    field = system.function(list(system.vector_field), "numpy")
    if len(system.states) == 1:
        flow = (np.ones_like(x), *field(x, (y,), system.defaults))
    else:
        flow = field(time, (x, y), system.defaults)
    # Near a pole the length is of no interest, the direction is.
    u, v = (np.broadcast_to(part, x.shape) / (high - low)[axis] for axis, part in enumerate(flow))
    speed = np.hypot(u, v)
    known = np.isfinite(speed) & (speed > 0)
    if known.any():
        u, v = (np.where(known, part / speed, 0.0) * (high - low)[axis] for axis, part in enumerate((u, v)))
        axes.streamplot(x, y, u, v, color=FLOW, linewidth=0.6, arrowsize=0.7, density=1.2, zorder=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
