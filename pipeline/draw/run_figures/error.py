"""Error over time."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..run_labels import Results, finish, is_forecast, noise_floor, run_title, time_label
from ..style import BAND, BLUE, PREDICTED, TRUE, new_figure


def draw_error(results: Results) -> Figure:
    """Error over time: median and quantiles over the test trajectories, and its root mean square."""
    figure = new_figure(5.2, 3.4)
    axes = figure.add_subplot()
    time = results["time"]
    lowest, low, median, high, highest = results["error_quantiles"]
    axes.fill_between(time, lowest, highest, color=BAND, alpha=0.3, lw=0, label="5 to 95 %")
    axes.fill_between(time, low, high, color=BAND, alpha=0.6, lw=0, label="25 to 75 %")
    alone: dict[str, Any] = {"marker": "o"} if len(time) == 1 else {}
    axes.plot(time, median, color=BLUE, label="median", **alone)
    rms = np.sqrt(results["metrics"]["test"]["mse_by_time"])
    axes.plot(time, rms, color=PREDICTED, ls="--", label="root mean square", **alone)
    floor = noise_floor(results)
    if floor is not None:
        axes.axhline(np.sqrt(floor), color=TRUE, lw=0.9, ls=":", label="noise")
    # Predictions without an error have none to scale.
    scaled = bool(highest.max() > 0)
    axes.set(
        yscale="log" if scaled else "linear",
        xlabel=time_label(results),
        ylabel=f"error of a {'one-step forecast' if is_forecast(results) else 'test trajectory'}",
    )
    axes.margins(x=0.01)
    return finish(figure, axes, run_title(results), 4 if floor is None else 3)
