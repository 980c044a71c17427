"""What baselines are fitted on: what the network has learned from, also where another dataset is judged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ...data.base.errors import TrajstoreError
from ...data.batches.dataset import TrajectoryDataset
from ...data.folder.manifest_reading import load_manifest
from ...data.folder.stated_grid import points_of
from ...data.tasks.task import Task
from ..runs.cut import cut_of
from ..runs.files import RunError
from ..runs.folder import RunConfig
from ..runs.splits import open_split
from .judging import EXACT, Judging


def fitted_where_learned(
    judging: Judging, config: RunConfig, task: Task, run: Path, console: Console
) -> tuple[Judging, dict[str, Any]]:
    """The same, of another dataset than the run's, with baselines that know what the network knows and no more; and
    what metrics.json says of it. Nothing changes where the dataset is the run's own.

    Where what was learned from is not there any more, they are fitted on the train split of what is judged, and a
    note says so.
    """
    judged = judging.test.store
    if judged.id == config.dataset["id"]:
        return judging, {}
    try:
        judging = replace(judging, fitted=_learned_from(judging, config, task, run))
    except TrajstoreError as error:
        if judging.fitted is not None:
            _warn(
                console,
                f"{error}; baselines are fitted on the train split of {judged.path}, and have seen what the network "
                "has not",
            )
    return judging, {
        "another_dataset": {
            "trained_on": config.dataset["id"],
            "baselines_fitted_on": None if judging.fitted is None else judging.fitted.store.id,
            "system": judged.config["system"],
        }
    }


def warn_of_no_baselines(judging: Judging, console: Console) -> None:
    """Say so where there is nothing that baselines could be fitted on."""
    if judging.fitted is None:
        _warn(
            console,
            f"{judging.test.store.path}: has no train trajectories, and nothing else is there that baselines could "
            "be fitted on; they are left out",
        )


def _warn(console: Console, text: str) -> None:
    console.print(text, style="yellow", soft_wrap=True)


def _learned_from(judging: Judging, config: RunConfig, task: Task, run: Path) -> TrajectoryDataset:
    """The train split that a run was trained on, cut as what is judged. Raises TrajstoreError if it cannot be had."""
    try:
        data = config.find_dataset(run)
    except RunError:
        raise RunError(f"{run}: what it was trained on is not at {config.dataset['path']} any more") from None
    manifest = load_manifest(data)
    if manifest.id != config.dataset["id"]:
        raise RunError(f"{data}: is not what {run} was trained on any more")
    length = judging.test.windows.length
    cut = cut_of(config.learning.task, data)
    if length <= points_of(manifest.config, "train"):
        cut = {**cut, "window": length}
    train = open_split(data, "train", task, dtype=EXACT, **cut)
    needed = () if judging.truth is None else judging.truth.system.parameters
    if missing := [name for name in needed if name not in train.store.parameters]:
        raise RunError(f"{data}: has no parameter {missing[0]}, which the system that is judged has")
    return train
