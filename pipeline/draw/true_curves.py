"""A run's trajectories as lines: the truth smooth, where it was integrated for it, with the samples on it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .run_labels import (
    DASHED,
    FORECAST,
    MARKED,
    SAMPLES,
    SOLID,
    Results,
    is_forecast,
    predicted_label,
    truth,
)

# A smooth curve is that of the samples if it is as near to them as this part of their range.
NEAR = 0.01

Points = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""What of times (T,) and states (T, D) is drawn."""


def plane(_time: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two components."""
    return states[:, 0], states[:, 1]


def over_time(component: int) -> Points:
    """One component over time."""
    return lambda time, states: (time, states[:, component])


def draw_true(axes: Axes, results: Results, row: int, points: Points, label: str | None) -> None:
    """The true trajectory of one of the shown rows."""
    times, samples = results["time"], truth(results)[row]
    smooth = None
    if "smooth_true" in results and row < len(results["smooth_true"]):
        smooth = along(times, samples, results["smooth_time"], results["smooth_true"][row])
    draw_curve(axes, times, samples, smooth, points, label)


def draw_curve(
    axes: Axes,
    times: np.ndarray,
    samples: np.ndarray,
    smooth: tuple[np.ndarray, np.ndarray] | None,
    points: Points,
    label: str | None,
) -> None:
    """A true trajectory: samples (T, D), marked where they are few, on a smooth curve or joined by straight lines."""
    few = {"marker": SAMPLES["marker"], "ms": SAMPLES["ms"]} if len(samples) <= MARKED else {}
    if smooth is None:
        axes.plot(*points(times, samples), **SOLID, **few, label=label)
        return
    axes.plot(*points(times, samples), **(SAMPLES if few else {**SAMPLES, "marker": ""}))
    axes.plot(*points(*smooth), **SOLID, label=label)


def along(
    times: np.ndarray, samples: np.ndarray, smooth_times: Any, smooth: Any
) -> tuple[np.ndarray, np.ndarray] | None:
    """A smooth curve (M,), (M, D) that goes through samples (T, D); None if it does not, and is of something else."""
    smooth_times, smooth = np.asarray(smooth_times), np.asarray(smooth)
    if smooth.shape != (len(smooth_times), samples.shape[1]):
        return None
    passed = np.stack([np.interp(times, smooth_times, values) for values in smooth.T], axis=1)
    near = np.abs(passed - samples) <= NEAR * np.ptp(samples, axis=0) + np.finfo(np.float32).eps * np.abs(
        samples
    )
    # Targets of forecasts begin later than the row.
    since = np.searchsorted(smooth_times, times[0])
    return (smooth_times[since:], smooth[since:]) if near.all() else None


def draw_predicted(axes: Axes, results: Results, row: int, points: Points, label: bool = True) -> None:
    """What was predicted for one of the shown rows; one-step forecasts are points, for none follows from another."""
    samples = results["predicted"][row]
    drawn = points(results["time"], samples)
    name = predicted_label(results) if label else None
    every = -(-len(samples) // MARKED)
    if is_forecast(results):
        axes.plot(*drawn, **FORECAST, markevery=every, label=name)
        return
    few = {"marker": ".", "ms": 3.0, "mew": 0} if every == 1 else {}
    axes.plot(*drawn, **DASHED, **few, label=name)
