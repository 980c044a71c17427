"""Baselines judged by themselves, as they are beside a network."""

from pathlib import Path
from typing import Any

from rich.console import Console

from ..config.learning import Learning
from ..runs.code import make_task
from ..runs.files import RunError
from .judgement import judge_beside_baselines, kinds_of
from .judging import Judging


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
    if judging.fitted is None:
        raise RunError(f"{data}: has no train trajectories that baselines could be fitted on")
    judged = judge_beside_baselines(judging, kinds_of(settings, config.code), settings, console, config.code)
    return {} if judged is None else {"rollout": judged.metrics}
