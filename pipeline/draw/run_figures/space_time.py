"""A rollout of many components over space and time: what is true, what is foretold, and the difference of the two."""

import numpy as np
from matplotlib.figure import Figure

from ...judge.metrics.valid_time import VALID_ERROR
from ...judge.movement import first_moving
from ..images import draw_images
from ..run_labels import CLEAN, Results, exponent_of, is_noisy, rollout_row, run_title, time_label
from ..style import TRUE

# How much is shown, in parts of the time until the prediction is no longer valid: later it says nothing.
SHOWN = 3.0
# Samples that are shown at least.
FEWEST = 50
# Beyond the truth's range by so much of half of it colours do not change any more.
BEYOND = 0.25


def draw_space_time(results: Results) -> Figure:
    """Of the first trajectory that moves; over Lyapunov times, where the exponent is known."""
    place = first_moving(results["rollout_true"])
    true, predicted = results["rollout_true"][place], results["rollout_predicted"][place]
    errors = _errors(true, predicted, results["rollout_scales"])
    beyond = np.flatnonzero(errors > VALID_ERROR)
    lost = int(beyond[0]) if len(beyond) else len(true) - 1
    shown = slice(max(FEWEST, round(SHOWN * lost)) + 1)
    exponent = exponent_of(results["metrics"]["rollout"])
    time = results["rollout_time"] * (exponent or 1.0)
    true, predicted, system = true[shown], predicted[shown], results["config"].system
    with np.errstate(over="ignore", invalid="ignore"):
        parts = (
            (CLEAN if is_noisy(results) else "true", true),
            ("predicted", predicted),
            ("difference", predicted - true),
        )
    low, high = true.min(), true.max()
    if low < 0 < high:
        low, high = min(low, -high), max(-low, high)
    margin = BEYOND * (high - low) / 2
    # What is no number stays white.
    images = [
        (name, time[shown], np.clip(np.where(np.isfinite(part), part, np.nan), low - margin, high + margin))
        for name, part in parts
    ]
    label = "Lyapunov times" if exponent else time_label(results)
    figure = draw_images(images, label, system)
    if len(beyond) and lost < len(true):
        for axes in figure.axes[: len(images)]:
            axes.axvline(time[lost], color=TRUE, lw=1.0, ls=":")
    row = rollout_row(results)
    what = "a rollout" + (f", {row}" if row else "") + f"; dotted: error of {VALID_ERROR:g} deviations"
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    return figure


def _errors(true: np.ndarray, predicted: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """At each time (T,), in deviations; infinite where a prediction is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.sqrt(np.square((predicted - true) / scales).mean(axis=1))
    return np.where(np.isfinite(errors), errors, np.inf)
