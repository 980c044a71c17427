"""The energy along rollouts."""

import numpy as np
from matplotlib.figure import Figure

from ..run_labels import Results, finish, model_label, run_title, time_label
from ..style import BAND, BLUE, ROW_COLOURS, TRUE, new_figure, positive

BESIDE = "energy_of_"


def draw_energy(results: Results) -> Figure | None:
    """How far the energy along rollouts is from that of their start: median and quartiles; the medians of
    baselines, and that of the truth.

    None of systems that have none.
    """
    if "energy_true" not in results:
        return None
    start = results["energy_true"][:, :1]
    true = np.abs(results["energy_true"] - start)[:, 1:].max(axis=0)
    time = results["rollout_time"][1:]
    low, median, high = drift_of(results["energy_predicted"], start)
    figure = new_figure(5.2, 3.4)
    axes = figure.add_subplot()
    axes.fill_between(time, positive(low), positive(high), color=BAND, alpha=0.4, lw=0, label="25 to 75 %")
    axes.plot(time, positive(median), color=BLUE, label=f"{model_label(results)}, median")
    colours = iter(ROW_COLOURS[1:] * 3)
    for name in (key for key in results if key.startswith(BESIDE)):
        beside = drift_of(results[name], start[: len(results[name])])[1]
        if beside.any():
            axes.plot(time, positive(beside), color=next(colours), lw=0.9, label=name.removeprefix(BESIDE))
    axes.plot(time, positive(true), color=TRUE, lw=0.9, ls=":", label="truth, as integrated")
    axes.set(yscale="log", xlabel=time_label(results), ylabel="error of the energy")
    axes.margins(x=0.01)
    return finish(figure, axes, run_title(results, "rollouts"), 3)


def drift_of(energies: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Quartiles (3, T - 1) of how far energies (N, T) are from those of the starts (N, 1), after these."""
    with np.errstate(over="ignore", invalid="ignore"):
        drift = np.abs(energies - start)[:, 1:]
    return np.quantile(
        np.where(np.isfinite(drift), drift, np.inf), (0.25, 0.5, 0.75), axis=0, method="nearest"
    )
