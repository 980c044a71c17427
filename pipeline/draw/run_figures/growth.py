"""How errors of rollouts grow, beside the baselines'."""

from itertools import product

import numpy as np
from matplotlib.figure import Figure

from ...judge.metrics.valid_time import VALID_ERROR
from ..run_labels import Results, exponent_of, finish, model_label, run_title, time_label
from ..style import BAND, BLUE, FLOW, ROW_COLOURS, TRUE, new_figure, positive

# What says nothing where others are near the truth.
LEFT_OUT = ("zero", "rotation")


def draw_growth(results: Results) -> Figure | None:
    """Error in deviations over time: median and quartiles of what is judged, the root mean square of baselines, and
    where a prediction is no longer valid. Over Lyapunov times, where the exponent is known.
    """
    if "rollout_scales" not in results:
        return None
    rollout = results["metrics"]["rollout"]
    exponent = exponent_of(rollout)
    time = results["rollout_time"][1:] * (exponent or 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        missed = (results["rollout_predicted"] - results["rollout_true"]) / results["rollout_scales"]
        errors = np.sqrt(np.square(missed).mean(axis=2))[:, 1:]
    low, median, high = np.quantile(
        np.where(np.isfinite(errors), errors, np.inf), (0.25, 0.5, 0.75), axis=0, method="nearest"
    )
    figure = new_figure(6.4, 3.6)
    axes = figure.add_subplot()
    looks = product(("-", "-.", (0, (1, 1))), ROW_COLOURS[1:])
    for name, baseline in rollout["baselines"].items():
        by_time = baseline.get("nrmse_by_time")
        if by_time is not None and name not in LEFT_OUT:
            style, colour = next(looks)
            axes.plot(time, positive(by_time[1:]), color=colour, ls=style, lw=1.0, label=name)
    axes.fill_between(time, positive(low), positive(high), color=BAND, alpha=0.4, lw=0)
    axes.plot(time, positive(median), color=BLUE, label=f"{model_label(results)}, median and quartiles")
    axes.axhline(VALID_ERROR, color=TRUE, lw=0.8, ls=":", label="no longer valid")
    floor = rollout.get("floors", {}).get("nrmse")
    if floor is not None:
        axes.axhline(floor, color=FLOW, lw=1.2, ls="--", label="another true trajectory")
    axes.set(
        yscale="log",
        xlabel="Lyapunov times" if exponent else time_label(results),
        ylabel="error in standard deviations",
    )
    axes.margins(x=0.01)
    top = axes.get_ylim()[1]
    axes.set_ylim(top=min(top, 30.0))
    starts = rollout["trajectories"]
    heading = run_title(results, f"errors of rollouts from {starts} start{'' if starts == 1 else 's'}")
    return finish(figure, axes, heading, 3)
