"""The study that judges on datasets of the benchmark of dysts: its score, beside what others have published."""

import json
from collections.abc import Mapping
from math import ceil

from .measurements import Trajectory

REFERENCE = "Gilpin 2021, arXiv:2110.05266"
# Medians of sMAPE over all systems, by points of a series and by whether it has one component.
PUBLISHED: Mapping[tuple[int, bool], Mapping[str, float]] = {
    (1200, True): {"N-BEATS": 67.7, "Transformer": 101.0, "LSTM": 102.0, "random forest": 106.0},
    (180, True): {"N-BEATS": 50.6, "LSTM": 67.8},
    (1200, False): {"N-BEATS": 42.2, "NHiTS": 63.6, "LSTM": 63.9, "neural ODE": 72.6, "Transformer": 78.3},
}
WINDOW = 101
TEXT = """# The benchmark of dysts: of each system {forecast} points are forecast after those that are fitted, and the
# table has medians of sMAPE, from 0 to 200, over systems. For a network add [[model]], and [defaults.training].
title = "The benchmark of dysts"
columns = ["smape", "finite_share"]

[defaults.task]
name = "forecast"
window = {window}
normalize = true

[defaults.evaluation]
rollouts = 1
rollout_lengths = {lengths}
warmup = {warmup}
baselines = ["persistence", "mean", "linear", "polynomial", "nvar", "esn", "analogue"]

[[dataset]]
label = "dysts"
folder = {systems}
"""
LINE = """
[[published]]
dataset = "dysts"
model = "{model}"
metrics = {{ smape = {median} }}
source = "{source}"
"""


def study_of(series: Mapping[str, Trajectory], forecast: int, warmup: int, *, is_whole: bool) -> str:
    """A study's file, TOML.

    Args:
        series: By system, all of one length; datasets of these names lie beside the file.
        forecast: Points that are forecast.
        warmup: Points of history before the last one that is known.
        is_whole: Whether these are all systems, so that what was published is of the same.
    """
    first, *_ = series.values()
    are_single = all(each.states.shape[1] == 1 for each in series.values())
    published = PUBLISHED.get((len(first.time), are_single), {}) if is_whole else {}
    window = min(WINDOW, warmup + 1)
    # Names are letters, digits and _, so that JSON is TOML.
    text = TEXT.format(
        forecast=forecast,
        window=window,
        lengths=ceil(forecast / (window - 1)),
        warmup=warmup,
        systems=json.dumps(list(series)),
    )
    return text + "".join(
        LINE.format(model=model, median=median, source=REFERENCE) for model, median in published.items()
    )
