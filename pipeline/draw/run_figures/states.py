"""States of many components, as images: true, predicted, and the difference of the two."""

from matplotlib.figure import Figure

from ...judge.movement import first_moving
from ..images import draw_images
from ..run_labels import (
    CLEAN,
    Results,
    is_noisy,
    predicted_label,
    rollout_row,
    row_label,
    run_title,
    time_label,
    truth,
    truth_label,
)


def draw_states(results: Results, what: str, prefix: str = "") -> Figure:
    """The first trajectory that moves: true, predicted, and the difference of the two."""
    if prefix:
        place = first_moving(results[f"{prefix}true"])
        true, label = results[f"{prefix}true"][place], CLEAN if is_noisy(results) else "true"
        row, name = rollout_row(results), "predicted"
    else:
        place = 0
        true, label, row, name = (
            truth(results)[0],
            truth_label(results),
            row_label(results, 0),
            predicted_label(results),
        )
    predicted = results[f"{prefix}predicted"][place]
    shown = ((label, true), (name, predicted), ("difference of the two", predicted - true))
    images = [(title, results[f"{prefix}time"], states) for title, states in shown]
    what += f", {row}" if row else ""
    figure = draw_images(images, time_label(results), results["config"].system)
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    return figure
