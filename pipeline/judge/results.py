"""What an evaluation leaves in its folder: metrics.json, and evaluation.npz for the figures."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...data.base.files import atomic_path, sync, write_json
from ...data.base.hashing import json_hash
from ...data.batches.dataset import TrajectoryDataset
from ..dynamics.parameters import drawn_in
from ..runs.files import RunError
from ..runs.folder import CODE, EVALUATION, METRICS, RunConfig, prepare_evaluation


def described(test: TrajectoryDataset) -> dict[str, Any]:
    """What metrics.json says of the dataset."""
    config = test.store.config
    amount = config.get("observation", {}).get("noise")
    return {
        "id": test.store.id,
        "system": config["system"]["name"],
        **({} if amount is None else {"noise": amount}),
        "parameters": parameters_of(test),
    }


def parameters_of(split: TrajectoryDataset) -> dict[str, dict[str, Any]]:
    """What values parameters have in the rows of a split, as `System.to_dict` describes them: the `value` of all, or
    the `draw` of each.

    A part of a dataset says how the rows of the whole were given theirs, and its own may be fewer.
    """
    config, store = split.store.config, split.store
    said = config["system"].get("parameters")
    found: dict[str, dict[str, Any]] = {}
    for name, entry in (said if isinstance(said, Mapping) else {}).items():
        if name not in store.parameters or not isinstance(entry, Mapping):
            continue
        values = store.column(name)
        low, high = float(values.min()), float(values.max())
        if low == high:
            found[name] = {"value": low}
        elif "derived" in config:
            found[name] = {"draw": {"uniform": [low, high]}}
        else:
            found[name] = {"draw": drawn_in(entry, store.split)}
    return found


def prepare_results(folder: Path, run: Path, config: RunConfig, judged: str, overwrite: bool) -> RunConfig:
    """Make a folder ready for what is judged of a run elsewhere than in its own; the config that goes with it.

    The run's code lies there, too.

    judged  the id of the dataset

    Raises RunError if it holds something else, or is the run's own.
    """
    if folder.resolve() == run.resolve():
        raise RunError(
            f"{folder}: is the run's own folder, where results go without --out; choose another one"
        )
    config = replace(config, identity=json_hash({"run": config.identity, "judged": judged}))
    prepare_evaluation(folder, config, overwrite)
    if (run / CODE).is_dir():
        shutil.copytree(run / CODE, folder / CODE, dirs_exist_ok=True)
    return config


def save(
    folder: Path, metrics: dict[str, Any], arrays: Mapping[str, Any], config: RunConfig | None = None
) -> None:
    """Each file whole, and all of one evaluation: stopped in between, the folder is one that is not yet evaluated.

    config  of a folder that is not a run's own
    """
    # The metrics take their place last, for they say that the evaluation is done.
    with atomic_path(folder / METRICS) as told:
        with atomic_path(folder / EVALUATION) as temporary:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)
            # What takes long is over: until here the old results are whole.
            sync(temporary)
            write_json(told, metrics)
            (folder / METRICS).unlink(missing_ok=True)
        if config is not None:
            config.save(folder)
