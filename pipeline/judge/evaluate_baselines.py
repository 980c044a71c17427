"""Baselines judged by themselves, as they are beside a network."""

from pathlib import Path
from typing import Any

from rich.console import Console

from ..config.learning import Learning
from ..runs.code import make_task
from .baselines import fit_baselines
from .judging import Judging
from .metrics.registry import METRICS, USUAL
from .rolled_out import judge_rollouts


def evaluate_baselines(config: Learning, data: Path, console: Console | None = None) -> dict[str, Any]:
    """What metrics.json would say of the rollouts of a dataset's baselines, under `rollout`; nothing is written.

    It is empty where rows are too short to roll anything out, and for a task that has no rollouts.

    Args:
        config: Its `[task]` says what history they are given, `[evaluation]` which they are and by what they are
            judged.
        data: The dataset.
        console: Where progress is shown; None shows none.

    Raises:
        TrajstoreError: The dataset cannot be used.
    """
    console, settings = console or Console(quiet=True), config.evaluation
    judging = Judging.of_baselines(data, "test", make_task(config), config.task, settings)
    kinds = [METRICS.find(name, config.code) for name in dict.fromkeys([*USUAL, *settings.metrics])]
    if judging.plan is None:
        return {}
    with console.status("fit baselines"):
        baselines = fit_baselines(judging.train, judging.truth, settings.baselines, config.code)
    with console.status("roll out"):
        judged = judge_rollouts(judging, kinds, baselines, settings.statistics_points)
    return {} if judged is None else {"rollout": judged.metrics}
