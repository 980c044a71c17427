"""Predictions of a split -> metrics: the errors, beside trivial predictors, and long rollouts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.console import Console

from ...data.base.own_code import OwnCode
from ..config.learning import EvaluationSection
from ..runs.code import Classes
from ..runs.files import RunError
from ..runtime.blas import one_blas_thread
from .baselines import fit_baselines
from .field import judge_field
from .forecasters.forecaster import Baseline
from .judging import Judging
from .metrics.metric import Metric, results
from .metrics.registry import METRICS, USUAL
from .predictions import ErrorQuantiles, FirstStatePredictors, Samples, Seen
from .rolled_out import Judged, judge_rollouts


@dataclass(frozen=True)
class Judgement:
    """What metrics.json and evaluation.npz hold of predictions, whoever made them."""

    metrics: dict[str, Any]
    arrays: dict[str, np.ndarray]


def judge(
    judging: Judging,
    settings: EvaluationSection,
    console: Console,
    code: OwnCode | None = None,
    given: Classes | None = None,
) -> Judgement:
    """By the usual metrics, and by those that a config names. Memory does not grow with the number of samples.

    code, given  as of `Registry.find`, for what is not ours

    Raises RunError if no prediction is finite.
    """
    samples, test = judging.samples, judging.test
    kinds, context = kinds_of(settings, code, given), judging.context
    metrics = [kind(context) for kind in kinds if kind.over == "targets" and kind.wanted(context)]
    with console.status("fit trivial predictors"), one_blas_thread():
        predictors = None if judging.fitted is None else FirstStatePredictors(judging.fitted, samples.times)
    quantiles = ErrorQuantiles(len(samples), len(samples.times))
    with console.status("judge the predictions"):
        finite = _judge_samples(samples, metrics, predictors, quantiles)
    whole: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    if judging.whole is not None:
        with console.status("run over whole rows"):
            whole, arrays = judging.whole.judged(kinds, context)
    energy: dict[str, float] = {}
    if judging.energy is not None:
        energy, more = judging.energy.result()
        arrays |= more
    rolled_out = judge_beside_baselines(judging, kinds, settings, console, code, given)
    found = {
        "test": {
            "trajectories": test.trajectories,
            "failed": test.failed,
            "windows": len(samples),
            "finite": finite,
            **({"left_out_share": test.left_out / (len(test) + test.left_out)} if test.task.limits else {}),
            "one_step": test.task.one_step,
            **results(metrics),
            **whole,
            **judge_field(judging.field, judging.train, test),
            **energy,
        },
        "baselines": {} if predictors is None else predictors.result(),
        "rollout": None if rolled_out is None else rolled_out.metrics,
        "evaluation": settings.model_dump(),
    }
    arrays |= {"error_quantiles": quantiles.result(), **judging.shown()}
    return Judgement(found, arrays if rolled_out is None else arrays | rolled_out.arrays)


def kinds_of(
    settings: EvaluationSection, code: OwnCode | None = None, given: Classes | None = None
) -> list[type[Metric]]:
    """The usual metrics, and those that a config names; the rest as of `judge`."""
    usual = [METRICS.find(name) for name in USUAL]
    named = [METRICS.find(name, code, given) for name in settings.metrics]
    return [*usual, *(kind for kind in named if kind not in usual)]


def judge_beside_baselines(
    judging: Judging,
    kinds: Sequence[type[Metric]],
    settings: EvaluationSection,
    console: Console,
    code: OwnCode | None = None,
    given: Classes | None = None,
) -> Judged | None:
    """Rollouts of what is judged, if anything is, and of the baselines that a config has; the rest as of `judge`.

    None where rows are too short to roll anything out, and for a task that has no rollouts.
    """
    if judging.plan is None:
        return None
    with console.status("fit baselines"):
        baselines: dict[str, Baseline] = {}
        if judging.fitted is not None:
            baselines = fit_baselines(judging.fitted, judging.truth, settings.baselines, code, given)
    with console.status("roll out"), one_blas_thread():
        return judge_rollouts(judging, kinds, baselines, settings.statistics_points)


def _judge_samples(
    samples: Samples,
    metrics: Sequence[Metric],
    predictors: FirstStatePredictors | None,
    quantiles: ErrorQuantiles,
) -> int:
    """Take in all predictions that are finite; how many these are. Raises RunError if none is."""
    finite = 0
    for all_seen in samples.batches():
        seen = _finite(all_seen)
        if not len(seen.numbers):
            continue
        finite += len(seen.numbers)
        for metric in metrics:
            metric.add(seen.batch)
        if predictors is not None:
            predictors.add(seen)
        quantiles.add(seen)
    if not finite:
        raise RunError(
            f"none of the {len(samples)} predictions is finite, so there is nothing to judge; where a network made "
            "them, train it with a smaller training.learning_rate, or with training.clip"
        )
    return finite


def _finite(seen: Seen) -> Seen:
    """Those of a batch whose predictions are finite: one that is not would make every error NaN."""
    sound = np.isfinite(seen.batch.predicted).all(axis=(1, 2))
    if sound.all():
        return seen
    batch = seen.batch
    parts = {name: None if values is None else values[sound] for name, values in vars(batch).items()}
    return replace(
        seen, numbers=seen.numbers[sound], inputs=seen.inputs[sound], batch=replace(batch, **parts)
    )
