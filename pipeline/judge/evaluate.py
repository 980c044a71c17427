"""Trained model + test split -> metrics: the error, by time, beside trivial predictors, and long rollouts."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from ...data.base.files import atomic_path, write_json
from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.loader import make_loader
from ...data.folder.manifest import load_manifest
from ...data.shard.schema import CLEAN_STATE
from ...models import Model, count_parameters
from ..dynamics.systems import System
from ..runs.code import Classes
from ..runs.files import RunError
from ..runs.folder import EVALUATION, METRICS, RunConfig, dataset_options, load_normalizer
from ..runs.model import load_trained
from ..runs.standing import load_summary
from .baselines import make_baselines
from .cycle import limit_cycle
from .movement import choose, first_moving, moving
from .rollout import Rollouts, judge, roll_out
from .truth import CURVES, Truth

BATCH = 4096
# Enough rows to fit the largest polynomial, few enough to fit it at once.
BASELINE_ROWS = 20_000
SHOWN_TRAJECTORIES = 12
# Sampling intervals of the true cycle for each of the grid's.
CYCLE_OVERSAMPLING = 10
# Of the truth of one rollout, of which figures show a part.
ROLLOUT_POINTS = 6_000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


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
    raw units.

    Args:
        run: Its folder.
        data: Another dataset than the one trained on.
        console: Where progress is shown; None shows none.
        models: As of `load_trained`, for networks that are not ours.
        trust_code: As of `load_trained`.

    Raises:
        TrajstoreError: The run or the dataset cannot be used.
    """
    console = console or Console(quiet=True)
    run = Path(run)
    config, model = load_trained(run, models=models, trust_code=trust_code)
    training = load_summary(run)
    data = config.find_dataset(run) if data is None else Path(data)
    if not load_manifest(data).splits["test"].trajectories:
        raise RunError(f"{data}: has no test trajectories; generate it with dataset.test > 0")
    task = config.learning.task
    normalizer = load_normalizer(config)
    options: dict[str, Any] = {"window": task.window, "stride": task.stride, "target": task.target}
    train = TrajectoryDataset(data, "train", task.name, **options)
    test = TrajectoryDataset(data, "test", task.name, **options)
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
    with console.status("predict the test split"):
        targets, predictions = _predict(
            model, test, TrajectoryDataset(data, "test", **dataset_options(config))
        )
    squared = (predictions - targets) ** 2
    std = np.array(train.store.statistics.scales)
    amount = test.store.config.get("observation", {}).get("noise")
    clean, noise = None, None
    if CLEAN_STATE in test.store.variables:
        # The targets are one of the two already.
        if test.target == CLEAN_STATE:
            observed, clean = _targets(test, "state"), targets
        else:
            observed, clean = targets, _targets(test, CLEAN_STATE)
        noise = _judge_noise(test, observed, clean, predictions)
    with console.status("fit trivial predictors"):
        baselines = _judge_baselines(train, test, targets)
    truth = Truth.of(test)
    with console.status("roll out"):
        rollouts, rows, judged = _roll_out(model, normalizer, config, test, truth, std)

    metrics = {
        "test": {
            "trajectories": test.trajectories,
            "failed": test.failed,
            "windows": len(test),
            "mse": float(squared.mean()),
            "nrmse": float(np.sqrt((squared / std**2).mean())),
            "mse_by_time": squared.mean(axis=(0, 2)).tolist(),
            "nrmse_by_time": np.sqrt((squared / std**2).mean(axis=(0, 2))).tolist(),
            "mse_by_component": dict(zip(test.components, squared.mean(axis=(0, 1)).tolist(), strict=True)),
            **({} if noise is None else {"noise": noise}),
        },
        "baselines": baselines,
        "rollout": judged,
        "training": training,
        "model": {"name": config.learning.model.name, "parameters": count_parameters(model)},
        "dataset": {
            "id": test.store.id,
            "system": test.store.config["system"]["name"],
            **({} if amount is None else {"noise": amount}),
        },
    }
    error = np.sqrt(squared.mean(axis=2))
    shown = choose(moving(targets), SHOWN_TRAJECTORIES)
    arrays: dict[str, Any] = {
        "time": _target_times(test),
        "error_quantiles": np.quantile(error, QUANTILES, axis=0),
        "true": targets[shown],
        "predicted": predictions[shown],
        **_described(test, shown, truth),
    }
    if clean is not None and task.target == "observed":
        arrays["clean"] = clean[shown]
    if rollouts is not None:
        arrays |= {
            "rollout_time": rollouts.times,
            "rollout_true": rollouts.true,
            "rollout_predicted": rollouts.predicted,
            "rollout_row": rows,
            **_smooth_rollout(truth, test, rollouts, rows),
        }
    with atomic_path(run / EVALUATION) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    # Last, for it says that the evaluation is done.
    write_json(run / METRICS, metrics)
    return metrics


@torch.no_grad()
def _predict(model: Model, test: TrajectoryDataset, seen: TrajectoryDataset) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions (N, T, D) float64 in raw units; `seen` is `test` as the model sees it."""
    targets, predictions = [], []
    for index in torch.arange(len(test)).split(BATCH):
        output = model(seen[index][0])
        predictions.append((output if seen.normalizer is None else seen.normalizer.invert(output)).double())
        targets.append(test[index][1].double())
    return torch.cat(targets).numpy(), torch.cat(predictions).numpy()


def _targets(test: TrajectoryDataset, variable: str) -> np.ndarray:
    """What the targets (N, T, D) float64 are, or would be, of this variable."""
    parts = torch.arange(len(test)).split(BATCH)
    return torch.cat([test.task.targets(test.states(part, variable), {}).double() for part in parts]).numpy()


def _judge_noise(
    test: TrajectoryDataset, observed: np.ndarray, clean: np.ndarray, predictions: np.ndarray
) -> dict[str, Any]:
    """How large the noise is, which no model can foretell, and how far the model is from what lies beneath it.

    The mean squared noise is the least error, against what was observed, of a model that knows the clean states.
    """
    squared = (observed - clean) ** 2
    return {
        "mse": float(squared.mean()),
        "rms": float(np.sqrt(squared.mean())),
        "mse_by_component": dict(zip(test.components, squared.mean(axis=(0, 1)).tolist(), strict=True)),
        "target": "observed" if test.target == "state" else "clean",
        "model_mse_without_noise": float(((predictions - clean) ** 2).mean()),
    }


def _target_times(dataset: TrajectoryDataset) -> np.ndarray:
    """Times of the targets after the window's first sample."""
    return dataset.task.target_times(dataset.time[: dataset.windows.length] - dataset.time[0])


def _judge_baselines(
    train: TrajectoryDataset, test: TrajectoryDataset, targets: np.ndarray
) -> dict[str, dict[str, Any]]:
    """MSE of each trivial predictor. It sees what the model sees: x(0), or x(t) for one step of a forecast."""
    spread = np.linspace(0, len(train) - 1, min(BASELINE_ROWS, len(train)), dtype=np.int64)
    inputs, fitted = (values.double().numpy() for values in train[spread])
    seen = np.concatenate([batch.double().numpy() for batch, _ in make_loader(test, BATCH)])
    times = _target_times(test)
    if train.task.name == "forecast":
        dimension = inputs.shape[2]
        inputs = inputs.reshape(-1, dimension)
        fitted = fitted.reshape(len(inputs), 1, dimension)
        keep = np.linspace(0, len(inputs) - 1, min(BASELINE_ROWS, len(inputs)), dtype=np.int64)
        predictors = make_baselines(inputs[keep], fitted[keep], times[:1])
        return {
            name: _errors(predict(seen.reshape(-1, dimension)).reshape(targets.shape), targets)
            for name, predict in predictors.items()
        }
    predictors = make_baselines(inputs[:, 0], fitted, times)
    return {name: _errors(predict(seen[:, 0]), targets) for name, predict in predictors.items()}


def _errors(predictions: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    squared = (predictions - targets) ** 2
    return {"mse": float(squared.mean()), "mse_by_time": squared.mean(axis=(0, 2)).tolist()}


def _roll_out(
    model: Model,
    normalizer: Any,
    config: RunConfig,
    test: TrajectoryDataset,
    truth: Truth | None,
    std: np.ndarray,
) -> tuple[Rollouts | None, np.ndarray, dict[str, Any] | None]:
    """Long rollouts of the first test trajectories, which rows these are, and how good they are.

    None where the truth cannot be integrated.
    """
    settings = config.learning.evaluation
    window = test.windows.length
    rows = np.arange(min(settings.rollouts, len(test.store)))
    if window < 2 or truth is None:
        return None, rows, None
    step = float(test.time[1] - test.time[0])
    times = step * np.arange(settings.rollout_lengths * (window - 1) + 1)
    # A grid may begin later than its rows, and rollouts begin where it does.
    true, sound = truth.along(rows, test.time[0] + times)
    if not len(true):
        return None, rows, None
    system, rows, starts, observed = truth.system, rows[sound], true[:, 0], truth.observed
    parameters, true = truth.parameters(rows), true[..., observed]
    task = config.learning.task
    told = None
    if task.parameters:
        told = parameters[:, [list(system.parameters).index(name) for name in task.parameters]]
        channels = dataset_options(config)["parameter_normalizer"]
        told = told if channels is None else channels.apply(torch.from_numpy(told)).numpy()
    predicted = roll_out(model, normalizer, task.name, true[:, 0], window, settings.rollout_lengths, told)
    rollouts = Rollouts(times, true, predicted)
    # Rows with parameters of their own have cycles of their own, fields more than one, and delays start from a past.
    one_cycle = system.kind == System.kind and system.autonomous and bool((parameters == parameters[0]).all())
    cycle = None
    if one_cycle:
        step /= CYCLE_OVERSAMPLING
        cycle = limit_cycle(truth.engine, starts, parameters, float(times[-1]), step, observed[0])
    return rollouts, rows, judge(rollouts, std, cycle)


def _described(test: TrajectoryDataset, shown: np.ndarray, truth: Truth | None) -> dict[str, np.ndarray]:
    """Which rows of the split these samples are of, and at which time each begins; and their truth, smooth.

    The latter where there are equations, and so few times that straight lines between them would have corners.
    """
    rows, first = np.divmod(shown, test.windows.per_row)
    rows, first = test.stored_rows(rows), first * test.windows.stride
    described = {"row": rows, "begin": test.time[first]}
    if truth is None or len(test.components) > CURVES:
        return described
    length = test.windows.length
    smooth = [truth.smooth(row, test.time[at : at + length]) for row, at in zip(rows, first, strict=True)]
    if any(curve is None for curve in smooth):
        return described
    times = [curve[0] for curve in smooth if curve]
    return described | {
        "smooth_time": times[0] - times[0][0],
        "smooth_true": np.stack([curve[1] for curve in smooth if curve]),
    }


def _smooth_rollout(
    truth: Truth | None, test: TrajectoryDataset, rollouts: Rollouts, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """The truth of the rollout that is drawn, where that is over so few times that it would have corners."""
    if truth is None or len(test.components) > CURVES:
        return {}
    smooth = truth.smooth(rows[first_moving(rollouts.true)], test.time[0] + rollouts.times, ROLLOUT_POINTS)
    return (
        {}
        if smooth is None
        else {"rollout_smooth_time": smooth[0] - test.time[0], "rollout_smooth_true": smooth[1]}
    )
