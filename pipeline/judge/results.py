"""What an evaluation leaves in its folder: metrics.json, and evaluation.npz for the figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...data.base.files import atomic_path, write_json
from ...data.batches.dataset import TrajectoryDataset
from ..runs.folder import EVALUATION, METRICS


def described(test: TrajectoryDataset) -> dict[str, Any]:
    """What metrics.json says of the dataset."""
    config = test.store.config
    amount = config.get("observation", {}).get("noise")
    return {
        "id": test.store.id,
        "system": config["system"]["name"],
        **({} if amount is None else {"noise": amount}),
    }


def save(folder: Path, metrics: dict[str, Any], arrays: Mapping[str, Any]) -> None:
    """Each file whole, or as it was."""
    with atomic_path(folder / EVALUATION) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    # Last, for it says that the evaluation is done.
    write_json(folder / METRICS, metrics)
