"""States of many components, as images: true, predicted, and the difference of the two."""

from matplotlib.figure import Figure

from ..images import draw_images
from ..run_labels import (
    Results,
    predicted_label,
    row_label,
    run_title,
    time_label,
    truth,
    truth_label,
)


def draw_states(results: Results, what: str) -> Figure:
    """The first of the test trajectories that are shown: true, predicted, and the difference of the two."""
    true, predicted, row = truth(results)[0], results["predicted"][0], row_label(results, 0)
    shown = (
        (truth_label(results), true),
        (predicted_label(results), predicted),
        ("difference of the two", predicted - true),
    )
    images = [(title, results["time"], states) for title, states in shown]
    what += f", {row}" if row else ""
    figure = draw_images(images, time_label(results), results["config"].system)
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    return figure
