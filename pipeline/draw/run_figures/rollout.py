"""The figure of a long rollout: the first component over time, and where it ends in the plane."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...judge.movement import HARDLY, first_moving
from ...judge.truth import CURVES
from ..delay_embedding import embed, label_embedding, lag_of
from ..run_labels import (
    CLEAN,
    DASHED,
    Results,
    component_label,
    is_forecast,
    is_noisy,
    rollout_row,
    run_title,
    time_label,
)
from ..style import PREDICTED, TRUE, equal_scales, new_figure, widen
from ..true_curves import Points, along, draw_curve, over_time
from ..true_curves import plane as shown_plane
from .space_time import draw_space_time

# The part of a rollout that is drawn in the plane: its end, when it has come to the attractor.
SHOWN_END = 0.15
# Over time a rollout is drawn for so many periods, or samples if these are more, but not on and on when all rests.
SHOWN_PERIODS, MIN_SHOWN, AFTER_REST = 24, 50, 1.5
# What varies by less than this part of the whole way is at rest.
REST = 0.02


def draw_rollout(results: Results) -> Figure | None:
    """A long rollout: the first component over time, of some periods, and its end in the plane of two components.

    Many components are images. None where there is no rollout.
    One component has no plane but that of itself one delay ago, if it has a delay; its end is shown over time. Of a
    rollout that comes to rest the plane shows the whole way, and marks the ends.
    """
    if "rollout_time" not in results:
        return None
    if len(results["config"].components) > CURVES:
        return draw_space_time(results)
    time, row = results["rollout_time"], first_moving(results["rollout_true"])
    true, predicted = (results[f"rollout_{what}"][row] for what in ("true", "predicted"))
    smooth = None
    if "rollout_smooth_true" in results:
        smooth = along(time, true, results["rollout_smooth_time"], results["rollout_smooth_true"])
    figure = new_figure(7.2, 3.4)
    left, right = figure.subplots(1, 2, width_ratios=(2.1, 1))
    period = results["config"].config["system"].get("period")
    begin = slice(shown_samples(time, (true[:, 0], predicted[:, 0]), period))
    draw_curve(
        left,
        time[begin],
        true[begin],
        smooth and _between(smooth, 0.0, time[begin][-1]),
        over_time(0),
        CLEAN if is_noisy(results) else "true",
    )
    left.plot(time[begin], predicted[begin, 0], **DASHED, label="predicted")
    left.set(xlabel=time_label(results), ylabel=component_label(results, 0))
    left.margins(x=0.01)
    what = ", ".join(filter(None, [_length(results), rollout_row(results)]))
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    _draw_end(right, results, time, (true, predicted), smooth)
    for axes in (left, right):
        widen(axes)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _length(results: Results) -> str:
    """How long a rollout is, and how it came to be so: the data may end before all that was asked for."""
    if results["config"].predictions:
        return "as predicted"
    how = "each step from the one before" if is_forecast(results) else "chained"
    return f"over $t$ = {results['rollout_time'][-1]:.4g}, {how}"


def shown_samples(time: np.ndarray, paths: Sequence[np.ndarray], period: float | None) -> int:
    """How many samples of rollouts (T,) of one component are drawn over time.

    So many periods, if there is one or the first path shows one, and not much longer than until all paths rest.
    """
    if not isinstance(period, int | float):
        period = _swing(time, paths[0])
    periods = len(time) if period is None else int(np.searchsorted(time, SHOWN_PERIODS * period))
    scale = max(float(np.ptp(path)) for path in paths)
    rest = round(AFTER_REST * max(_rest(path, scale) for path in paths))
    return min(len(time), max(MIN_SHOWN, min(periods, rest)))


def _swing(time: np.ndarray, path: np.ndarray) -> float | None:
    """The mean time from one swing to the next over the last half; None if it does not swing."""
    end = path[len(path) // 2 :]
    if len(end) < 2 or np.ptp(end) <= REST * np.ptp(path):
        return None
    above = end > end.mean()
    swings = np.count_nonzero(above[1:] & ~above[:-1])
    return float(time[-1] - time[len(path) // 2]) / swings if swings > 1 else None


def _rest(path: np.ndarray, scale: float) -> int:
    """The number of the first sample from which on it stays near its last value, on the scale of the figure."""
    away = ~(np.abs(path - path[-1]) <= REST * scale)
    return int(np.flatnonzero(away)[-1]) + 1 if away.any() else 0


def _between(
    smooth: tuple[np.ndarray, np.ndarray], begin: float, end: float
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a smooth curve from one time to another."""
    shown = slice(*np.searchsorted(smooth[0], (begin, np.nextafter(end, np.inf))))
    return smooth[0][shown], smooth[1][shown]


def _embedded(lag: int) -> Points:
    return lambda _time, states: embed(states[:, 0], lag)


def _draw_end(
    axes: Axes,
    results: Results,
    time: np.ndarray,
    paths: Sequence[np.ndarray],
    smooth: tuple[np.ndarray, np.ndarray] | None,
) -> None:
    """The end of the true and the predicted path (T, D); the true one smooth, where that is known."""
    several = paths[0].shape[1] > 1
    end = len(time) - max(2, round(SHOWN_END * len(time)))
    lag = None if several else lag_of(results["config"].system, time[end:])
    plane = several or lag is not None
    shown = paths[0][:, :2]
    smallest = np.maximum(REST * np.ptp(shown, axis=0), HARDLY * np.abs(shown).max(axis=0))
    rests = plane and bool((np.ptp(shown[end:], axis=0) <= smallest).all())
    first = 0 if rests else end
    labels = (
        (component_label(results, 0), component_label(results, 1))
        if several
        else (time_label(results), component_label(results, 0))
    )
    axes.set(xlabel=labels[0], ylabel=labels[1])
    if lag is not None:
        label_embedding(axes, component_label(results, 0).strip("$"), time, lag)
    true, predicted = (path[first:] for path in paths)
    if lag is not None:
        points, smooth = _embedded(lag), None
    else:
        points = shown_plane if several else over_time(0)
        smooth = smooth and _between(smooth, time[first], time[-1])
    draw_curve(axes, time[first:], true, smooth, points, None)
    axes.plot(*points(time[first:], predicted), **DASHED)
    if plane:
        equal_scales(axes, "box")
    if rests:
        for path, mark, colour in ((true, "o", TRUE), (predicted, "x", PREDICTED)):
            x, y = points(time[first:], path)
            axes.plot(x[-1:], y[-1:], mark, color=colour, ms=6, mfc="none", mew=1.2)
    axes.set_title(f"$t$ = {time[first]:.3g} to {time[-1]:.3g}{', ends marked' if rests else ''}", loc="left")
