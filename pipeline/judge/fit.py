"""How well a network fits what it has learned from, beside which errors on the test split say what it makes of it."""

from pathlib import Path
from typing import Any

import numpy as np

from ...data.folder.manifest_reading import load_manifest
from ...data.tasks.task import Task
from ...models import Model
from ..runs.cut import cut_of
from ..runs.folder import RunConfig
from ..runs.samples import dataset_options
from ..runs.splits import open_split
from .judging import EXACT
from .movement import spread
from .predictions import NetworkSamples

# Points of the train split, of which there may be far more than of the test split.
FITTED_POINTS = 100_000


def judge_fit(data: Path, config: RunConfig, task: Task, model: Model) -> dict[str, Any]:
    """What `train` of metrics.json says: `mse`, in raw units, over so many `windows` of the train split, spread over
    all; without samples whose prediction is not finite. Nothing of a dataset that it has not learned from.
    """
    if load_manifest(data).id != config.dataset["id"]:
        return {}
    cut = cut_of(config.learning.task, data)
    train, seen = (
        open_split(data, "train", task, **options)
        for options in ({**cut, "dtype": EXACT}, {**dataset_options(config, data), **cut})
    )
    samples = NetworkSamples(model, train, seen)
    total, count, windows = 0.0, 0, 0
    for each in samples.batches(spread(len(train), max(1, FITTED_POINTS // train.windows.length))):
        missed = np.square(each.batch.predicted - each.batch.true)
        missed = missed[np.isfinite(missed).all(axis=(1, 2))]
        total, count, windows = total + float(missed.sum()), count + missed.size, windows + len(missed)
    return {"windows": windows, "mse": total / count} if count else {}
