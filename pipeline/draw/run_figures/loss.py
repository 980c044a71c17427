"""Training loss and validation error over the steps."""

from matplotlib.figure import Figure

from ...runs.loss_units import STANDARDISED
from ...runs.standing import ending
from ..run_labels import Results, finish, run_title
from ..style import BAND, BLUE, PREDICTED, new_figure

SECOND_ORDER = "Levenberg-Marquardt"


def draw_loss(results: Results) -> Figure | None:
    """Training loss, smoothed as r = 0.9 r + 0.1 loss, and validation error over steps; a panel for each phase.

    Both are in raw units. The losses of older runs are in those that the network sees, and are called so.
    """
    phases = list(dict.fromkeys(row["phase"] for row in results["curve"]))
    if not phases:
        # A training that was stopped before its first line.
        return None
    standardised = results["config"].normalizer is not None and any(
        row.get("loss_units", STANDARDISED) == STANDARDISED for row in results["curve"]
    )
    units, raw = (" (standardised)", " (raw)") if standardised else ("", "")
    figure = new_figure(5.2 if len(phases) == 1 else 7.2, 3.4)
    panels = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
    for axes, phase in zip(panels, phases, strict=True):
        rows = [row for row in results["curve"] if row["phase"] == phase]
        steps = [row["step"] for row in rows]
        told = f"training, a batch{units}"
        axes.plot(steps, [row["loss"] for row in rows], color=BAND, lw=0.6, label=told)
        smoothed = [row["smoothed_loss"] for row in rows]
        axes.plot(steps, smoothed, color=BLUE, label=f"training, smoothed{units}")
        validated = [(row["step"], row["validation_mse"]) for row in rows if "validation_mse" in row]
        if validated:
            marker = "o" if len(validated) < 30 else None
            axes.plot(
                *zip(*validated, strict=True),
                color=PREDICTED,
                marker=marker,
                ms=3,
                label=f"validation{raw}",
            )
        axes.set(yscale="log", xlabel="optimiser steps")
        axes.margins(x=0.02)
    for axes, phase in zip(panels[1:], phases[1:], strict=True):
        axes.set_title(SECOND_ORDER if phase == "refine" else phase, loc="left")
    panels[0].set_ylabel("mean squared error")
    heading = run_title(results, ending(results["metrics"].get("training", {})), learned=True)
    return finish(figure, panels[0], heading, 2 if units and len(phases) == 1 else 3)
