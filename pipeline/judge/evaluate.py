"""Trained model + test split -> metrics: the error, by time, beside trivial predictors, and long rollouts."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from ...data.base.files import atomic_path, write_json
from ...models import Model, count_parameters
from ..config.learning import TrainingSection
from ..runs.code import Classes, kept_code, make_task
from ..runs.device import choose_threads, find_device
from ..runs.files import RunError
from ..runs.folder import EVALUATION, METRICS
from ..runs.model import load_trained
from ..runs.summary import load_summary
from .judging import Judging
from .metrics.metric import Metric, results
from .metrics.registry import METRICS as KNOWN
from .metrics.registry import USUAL
from .predictions import BATCH, ErrorQuantiles, FirstStatePredictors, SplitPredictions
from .rolled_out import judge_rollouts


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    console: Console | None = None,
    *,
    models: Classes | None = None,
    trust_code: bool = False,
) -> dict[str, Any]:
    """Judge a run's best weights on the test split of its dataset, or of another one of the same kind.

    Writes RUN/metrics.json, which is also returned, and RUN/evaluation.npz for the figures. All errors are in
    raw units. Memory does not grow with the test split.

    Args:
        run: Its folder.
        data: Another dataset than the one trained on.
        console: Where progress is shown; None shows none.
        models: As of `load_trained`, for what is not ours.
        trust_code: As of `load_trained`.

    Raises:
        TrajstoreError: The run or the dataset cannot be used.
    """
    console, run = console or Console(quiet=True), Path(run)
    config, model = load_trained(run, models=models, trust_code=trust_code)
    training = load_summary(run)
    learning = config.learning.with_code(kept_code(run, trusted=trust_code))
    data = config.find_dataset(run) if data is None else Path(data)
    _place(model, learning.training)
    judging = Judging.of(data, "test", config, make_task(learning, models), model)
    own = [KNOWN.find(name, learning.code, models) for name in learning.evaluation.metrics]
    usual = [KNOWN.find(name) for name in USUAL]

    context = judging.context
    metrics = [kind(context) for kind in [*usual, *own] if kind.over == "targets" and kind.wanted(context)]
    with console.status("fit trivial predictors"):
        predictors = FirstStatePredictors(judging.train, judging.split.times)
    quantiles = ErrorQuantiles(len(judging.test), len(judging.split.times))
    with console.status("predict the test split"):
        _take_in(judging.split, metrics, predictors, quantiles)
    with console.status("roll out"):
        kinds = [kind for kind in [*usual, *own] if kind.over == "rollouts"]
        rolled_out = judge_rollouts(judging, learning.evaluation, kinds)

    amount = judging.test.store.config.get("observation", {}).get("noise")
    found = {
        "test": {
            "trajectories": judging.test.trajectories,
            "failed": judging.test.failed,
            "windows": len(judging.test),
            "one_step": judging.test.task.one_step,
            **results(metrics),
        },
        "baselines": predictors.result(),
        "rollout": None if rolled_out is None else rolled_out.metrics,
        "training": training,
        "model": {"name": learning.model.name, "parameters": count_parameters(model)},
        "dataset": {
            "id": judging.test.store.id,
            "system": judging.test.store.config["system"]["name"],
            **({} if amount is None else {"noise": amount}),
        },
    }
    arrays: dict[str, Any] = {"error_quantiles": quantiles.result(), **judging.shown()}
    if rolled_out is not None:
        arrays |= rolled_out.arrays
    with atomic_path(run / EVALUATION) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    # Last, for it says that the evaluation is done.
    write_json(run / METRICS, found)
    return found


def _take_in(
    split: SplitPredictions,
    metrics: list[Metric],
    predictors: FirstStatePredictors,
    quantiles: ErrorQuantiles,
) -> None:
    for seen in split.batches():
        for metric in metrics:
            metric.add(seen.batch)
        predictors.add(seen)
        quantiles.add(seen)


def _place(model: Model, training: TrainingSection) -> None:
    """On the device of the training, if it is here, else the CPU; and as many threads as it has use for."""
    try:
        device = find_device(training.device)
    except RunError:
        device = torch.device("cpu")
    model.to(device)
    torch.set_num_threads(choose_threads(training.threads, model.work(BATCH)))
