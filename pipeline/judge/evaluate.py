"""Trained model + test split -> metrics: the error, by time, beside trivial predictors, and long rollouts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from ...data.base.files import atomic_path, write_json
from ...data.batches.dataset import TrajectoryDataset
from ...data.folder.manifest import load_manifest
from ...data.shard.schema import CLEAN_STATE
from ...data.tasks.task import Task
from ...models import Model, count_parameters
from ..runs.code import Classes, kept_code, make_task
from ..runs.device import choose_threads, find_device
from ..runs.files import RunError
from ..runs.folder import EVALUATION, METRICS, RunConfig, dataset_options
from ..runs.model import load_trained
from ..runs.standing import load_summary
from .forecasters.trained import Trained
from .metrics.metric import Context, Metric, results
from .metrics.registry import METRICS as KNOWN
from .metrics.registry import USUAL
from .predictions import BATCH, ErrorQuantiles, FirstStatePredictors, SplitPredictions, shown_samples
from .rolled_out import judge_rollouts
from .truth import CURVES, Truth


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
    judging = _open(data, config, make_task(learning, models), model)
    own = [
        KNOWN.find(name, kept_code(run, trusted=trust_code), models) for name in learning.evaluation.metrics
    ]
    usual = [KNOWN.find(name) for name in USUAL]

    context = Context(
        judging.test.components,
        np.array(judging.train.store.statistics.scales),
        judging.split.times,
        None if judging.truth is None else judging.truth.system,
        learns_clean=judging.test.target == CLEAN_STATE,
    )
    metrics = [kind(context) for kind in [*usual, *own] if kind.over == "targets" and kind.wanted(context)]
    with console.status("fit trivial predictors"):
        predictors = FirstStatePredictors(judging.train, judging.split.times)
    quantiles = ErrorQuantiles(len(judging.test), len(judging.split.times))
    with console.status("predict the test split"):
        _take_in(judging.split, metrics, predictors, quantiles)
    with console.status("roll out"):
        rolled_out = judge_rollouts(
            judging.forecaster,
            judging.train,
            judging.test,
            judging.truth,
            learning.evaluation,
            context,
            [kind for kind in [*usual, *own] if kind.over == "rollouts"],
        )

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


@dataclass(frozen=True)
class Judging:
    """A trained network and the splits that it is judged on; `train` and `test` are in raw units."""

    train: TrajectoryDataset
    test: TrajectoryDataset
    split: SplitPredictions
    forecaster: Trained
    truth: Truth | None

    def shown(self) -> dict[str, np.ndarray]:
        """Some samples, for figures: true and predicted, of which rows they are and at which time each begins; and
        their truth, smooth, where there are equations, and so few times that lines between them would have corners.
        """
        test, numbers = self.test, shown_samples(self.test)
        batches = [seen.batch for seen in self.split.batches(numbers)]
        rows, first = np.divmod(numbers, test.windows.per_row)
        rows, first = test.stored_rows(rows), first * test.windows.stride
        arrays = {
            "time": self.split.times,
            "true": np.concatenate([batch.true for batch in batches]),
            "predicted": np.concatenate([batch.predicted for batch in batches]),
            "row": rows,
            "begin": test.time[first],
        }
        clean = [batch.clean for batch in batches if batch.clean is not None]
        if clean and test.target != CLEAN_STATE:
            arrays["clean"] = np.concatenate(clean)
        if self.truth is None or len(test.components) > CURVES:
            return arrays
        length = test.windows.length
        curves = [
            self.truth.smooth(row, test.time[at : at + length]) for row, at in zip(rows, first, strict=True)
        ]
        found = [curve for curve in curves if curve is not None]
        if len(found) < len(curves):
            return arrays
        return arrays | {
            "smooth_time": found[0][0] - found[0][0][0],
            "smooth_true": np.stack([states for _, states in found]),
        }


def _open(data: Path, config: RunConfig, task: Task, model: Model) -> Judging:
    """Raises RunError if the dataset is none that the run can be judged on."""
    if not load_manifest(data).splits["test"].trajectories:
        raise RunError(f"{data}: has no test trajectories; generate it with dataset.test > 0")
    section = config.learning.task
    options: dict[str, Any] = {"window": section.window, "stride": section.stride, "target": section.target}
    train = TrajectoryDataset(data, "train", task, **options)
    test = TrajectoryDataset(data, "test", task, **options)
    if list(test.components) != config.components:
        raise RunError(
            f"{data}: components are {', '.join(test.components)}, but the run was trained on "
            f"{', '.join(config.components)}"
        )
    step = float(np.diff(test.time).mean())
    if not np.isclose(step, config.step, rtol=1e-9, atol=0):
        raise RunError(
            f"{data}: its samples are {step:g} apart, but the run was trained on {config.step:g}; "
            "generate it with the same grid"
        )
    training = config.learning.training
    model = model.to(_device(training.device))
    torch.set_num_threads(choose_threads(training.threads, model.work(BATCH)))
    seen = TrajectoryDataset(data, "test", task, **dataset_options(config))
    truth = Truth.of(test)
    names = [] if truth is None else list(truth.system.parameters)
    forecaster = Trained(
        model,
        task,
        test.windows.length,
        seen.normalizer,
        [names.index(name) for name in section.parameters],
        seen.parameter_normalizer,
    )
    return Judging(train, test, SplitPredictions(model, test, seen), forecaster, truth)


def _device(name: str) -> torch.device:
    """That of the training, if it is here; else the CPU."""
    try:
        return find_device(name)
    except RunError:
        return torch.device("cpu")


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
