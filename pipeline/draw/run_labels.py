"""What the figures of a run share: title and legend, names as mathematics, what is called true."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...data.tasks.registry import TASKS
from ..describe.phrases import line
from ..dynamics.parameters import drawn_in
from ..judge.movement import first_moving
from .style import LONGEST_NAME, PREDICTED, SKY, TRUE, label_of_time, parameters_label, plain, symbol

# Lines that lie on each other are both seen.
SOLID: dict[str, Any] = {"color": TRUE, "lw": 1.3}
DASHED: dict[str, Any] = {"color": PREDICTED, "lw": 0.9, "ls": (0, (4, 2.5))}
POINTS: dict[str, Any] = {"color": SKY, "ls": "", "marker": ".", "ms": 3.5, "mew": 0, "zorder": 3}
SMALL_POINTS: dict[str, Any] = {**POINTS, "ms": 2.2}
SAMPLES: dict[str, Any] = {"color": TRUE, "ls": "", "marker": ".", "ms": 3.5, "mew": 0}
FORECAST: dict[str, Any] = {"color": PREDICTED, "ls": "", "marker": "x", "ms": 3.5, "mew": 0.9, "zorder": 3}
# More samples than these are not marked on a line, and of more forecasts some are shown.
MARKED = 60
# Characters of a title in one line.
LONGEST_TITLE = 64
# Letters of a network's name that is made of initials.
LONGEST_INITIALS = 4

Results = dict[str, Any]
"""`config` (RunConfig), `metrics` (metrics.json), `curve` (rows of metrics.jsonl), and evaluation.npz's arrays."""

CLEAN, OBSERVED = "true, without noise", "observed, with noise"


def finish(figure: Figure, axes: Axes, heading: str, columns: int) -> Figure:
    """Title on the left, legend below the axes, clear of the data."""
    axes.set_title(heading, loc="left")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.4)
    return figure


def run_title(results: Results, what: str = "", *, learned: bool = False) -> str:
    """The system with its parameters, as rows of the test split have them, and what is shown; in two lines where one
    would be long.

    learned  of what was trained on, as its train split has them
    """
    config = results.get("trained", results["config"]) if learned else results["config"]
    described = config.config["system"]
    told = None if learned else results.get("metrics", {}).get("dataset", {}).get("parameters")
    if not (isinstance(told, dict) and all(isinstance(one, dict) for one in told.values())):
        # Older results do not tell, nor do those of what was learned from.
        split = "train" if learned else "test"
        told = {
            name: {**one, "draw": drawn_in(one, split), "by_split": None}
            for name, one in described["parameters"].items()
        }
    name, values = plain(line(described["name"], LONGEST_NAME)), parameters_label(told)
    what = f": {what}" if what else ""
    one = f"{name}, {values}{what}" if values else name + what
    if not values or len(one.translate({ord(c): None for c in "$\\{}"})) <= LONGEST_TITLE:
        return one
    return f"{name}{what}\n{values}"


def component_label(results: Results, component: int) -> str:
    return symbol(results["config"].target_names[component])


def input_label(results: Results, component: int) -> str:
    config = results["config"]
    return symbol((config.inputs or config.components)[component])


def time_label(results: Results) -> str:
    return label_of_time(results["config"].config["system"].get("time_unit"))


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


def model_label(results: Results) -> str:
    """What is judged: LSTM, but shplrnn and own.py:Window, which is a file's name."""
    name = results["metrics"]["model"]["name"]
    stands_for_words = name.isalpha() and len(name) <= LONGEST_INITIALS
    return name.upper() if stands_for_words and not results["config"].predictions else name


def is_forecast(results: Results) -> bool:
    """Is each prediction one step from what was true before, so that they are no trajectory together?"""
    name = results["config"].learning.task.name
    known = TASKS.find(name).one_step if name in TASKS.own else False
    return results["metrics"]["test"].get("one_step", known)


def shown_label(results: Results, what: str = "") -> str:
    """What the predictions of the test split are, for titles."""
    if "stateful_time" in results:
        return "test windows"
    return f"one-step forecasts{what}" if is_forecast(results) else f"test trajectories{what}"


def predicted_label(results: Results) -> str:
    return "forecast from the sample before" if is_forecast(results) else "predicted"


def row_label(results: Results, place: int) -> str:
    """Which row of the test split is shown there, and from which time on, if not from the first."""
    if "row" not in results:
        return ""
    begin = results["begin"][place]
    since = f", from $t$ = {begin:.4g}" if begin != results["begin"].min() or begin > 0 else ""
    return f"row {results['row'][place]}{since}"


def rollout_row(results: Results) -> str:
    """Which row of the test split the rollout that is shown begins like."""
    if "rollout_row" not in results:
        return ""
    return f"test row {results['rollout_row'][first_moving(results['rollout_true'])]}"


def exponent_of(rollout: Mapping[str, Any]) -> float | None:
    """The Lyapunov exponent by which times of validity were told, of what metrics.json says of rollouts."""
    if not rollout.get("vpt_lyapunov"):
        return None
    return rollout["vpt_lyapunov"] / rollout["vpt"]


def truth_label(results: Results) -> str:
    """What `truth` gives: never call true what has noise."""
    if not is_noisy(results):
        return "true"
    clean = "clean" in results or results["config"].learning.task.target == "clean"
    return CLEAN if clean else OBSERVED
