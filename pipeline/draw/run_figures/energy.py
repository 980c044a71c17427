"""The energy along rollouts."""

import numpy as np
from matplotlib.figure import Figure

from ..run_labels import Results, finish, model_label, run_title, time_label
from ..style import BAND, BLUE, TRUE, new_figure, positive


def draw_energy(results: Results) -> Figure | None:
    """How far the energy along rollouts is from that of their start: median and quartiles, and that of the truth.

    None of systems that have none.
    """
    if "energy_true" not in results:
        return None
    start = results["energy_true"][:, :1]
    drift = np.abs(results["energy_predicted"] - start)[:, 1:]
    true = np.abs(results["energy_true"] - start)[:, 1:].max(axis=0)
    time = results["rollout_time"][1:]
    drift = np.where(np.isfinite(drift), drift, np.inf)
    low, median, high = np.quantile(drift, (0.25, 0.5, 0.75), axis=0, method="nearest")
    figure = new_figure(5.2, 3.4)
    axes = figure.add_subplot()
    axes.fill_between(time, positive(low), positive(high), color=BAND, alpha=0.4, lw=0, label="25 to 75 %")
    axes.plot(time, positive(median), color=BLUE, label=f"{model_label(results)}, median")
    axes.plot(time, positive(true), color=TRUE, lw=0.9, ls=":", label="truth, as integrated")
    axes.set(yscale="log", xlabel=time_label(results), ylabel="error of the energy")
    axes.margins(x=0.01)
    return finish(figure, axes, run_title(results, "rollouts"), 3)
