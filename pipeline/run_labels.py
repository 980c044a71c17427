"""What the figures of a run share: title and legend, names as mathematics, what is called true."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .figures import PREDICTED, SKY, TRUE, parameters_label, plain, symbol

# Lines that lie on each other are both seen.
SOLID: dict[str, Any] = {"color": TRUE, "lw": 1.3}
DASHED: dict[str, Any] = {"color": PREDICTED, "lw": 0.9, "ls": (0, (4, 2.5))}
POINTS: dict[str, Any] = {"color": SKY, "ls": "", "marker": ".", "ms": 3.5, "mew": 0, "zorder": 3}
SMALL_POINTS: dict[str, Any] = {**POINTS, "ms": 2.2}
# Characters of a title in one line.
LONGEST_TITLE = 64

Results = dict[str, Any]
"""`config` (RunConfig), `metrics` (metrics.json), `curve` (rows of metrics.jsonl), and evaluation.npz's arrays."""

CLEAN, OBSERVED = "true, without noise", "observed, with noise"


def finish(figure: Figure, axes: Axes, heading: str, columns: int) -> Figure:
    """Title on the left, legend below the axes, clear of the data."""
    axes.set_title(heading, loc="left")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.4)
    return figure


def run_title(results: Results, what: str = "") -> str:
    """The system with its parameters, and what is shown; in two lines where one would be long."""
    described = results["config"].config["system"]
    name, values = plain(described["name"]), parameters_label(described["parameters"])
    what = f": {what}" if what else ""
    line = f"{name}, {values}{what}" if values else name + what
    if not values or len(line.translate({ord(c): None for c in "$\\{}"})) <= LONGEST_TITLE:
        return line
    return f"{name}{what}\n{values}"


def component_label(results: Results, component: int) -> str:
    return symbol(results["config"].components[component])


def time_label(results: Results) -> str:
    unit = results["config"].config["system"].get("time_unit", "1")
    return "time $t$" if unit == "1" else f"time $t$ ({plain(unit)})"


def is_noisy(results: Results) -> bool:
    """Was the dataset observed with noise?"""
    return results["metrics"]["dataset"].get("noise") is not None


def noise_floor(results: Results) -> float | None:
    """The mean squared noise of the test targets, where they have noise, and how large it is is known."""
    noise = results["metrics"]["test"].get("noise")
    return noise["mse"] if noise is not None and noise["target"] == "observed" else None


def truth(results: Results) -> np.ndarray:
    """The test trajectories (N, T, D) as they are, without noise where that is known."""
    return results.get("clean", results["true"])


def truth_label(results: Results) -> str:
    """What `truth` gives: never call true what has noise."""
    if not is_noisy(results):
        return "true"
    clean = "clean" in results or results["config"].learning.task.target == "clean"
    return CLEAN if clean else OBSERVED
