"""Long rollouts, judged: what is judged and every baseline from the same histories."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...data.batches.dataset import TrajectoryDataset
from ...data.folder.manifest_reading import load_manifest
from ..dynamics.systems import System
from .forecasters.forecaster import Baseline, Pairs
from .forecasters.registry import BASELINES, USUAL
from .judging import Judging
from .metrics.cycle import Cycle, limit_cycle
from .metrics.metric import Batch, Metric, results
from .movement import first_moving
from .rollouts import GROUP_BYTES, Group, RolloutPlan
from .truth import CURVES, Truth

# Neighbouring states that baselines are fitted on, and validated on.
FITTED, VALIDATED = 20_000, 5_000
# Sampling intervals of the true cycle for each of the grid's.
CYCLE_OVERSAMPLING = 10
# Of the truth of one rollout, of which figures show a part.
SMOOTH_POINTS = 6_000


@dataclass(frozen=True)
class Judged:
    """What metrics.json says of rollouts, and the arrays of some, for figures."""

    metrics: dict[str, Any]
    arrays: dict[str, np.ndarray]


def judge_rollouts(judging: Judging, kinds: list[type[Metric]]) -> Judged | None:
    """Of metrics over rollouts. None where windows are of one point, rows too short, or the truth of none can be
    integrated.
    """
    test, truth, plan = judging.test, judging.truth, judging.plan
    if plan is None:
        return None
    follow: dict[str, Callable[[Group], np.ndarray]] = {"": judging.follow}
    for name, baseline in _baselines(judging.train, truth).items():
        follow[name] = partial(Group.continued, forecaster=baseline)
    metrics: dict[str, list[Metric]] = {}
    shown: list[tuple[Group, np.ndarray]] = []
    starts = held = 0
    for group in plan.groups(test, truth):
        if not metrics:
            cycle = None if truth is None else _cycle(truth, group, plan.times)
            told = replace(judging.context, times=plan.times, cycle=cycle)
            wanted = [kind for kind in kinds if kind.wanted(told)]
            metrics = {
                name: [kind(told) for kind in wanted if not name or kind.of_baselines] for name in follow
            }
        starts += len(group.rows)
        for name, go_on in follow.items():
            predicted = go_on(group)
            batch = Batch(group.true, predicted)
            for metric in metrics[name]:
                metric.add(batch)
            if not name and held < GROUP_BYTES:
                shown.append((group, predicted))
                held += predicted.nbytes
    if not metrics:
        return None
    own, *others = metrics
    found = {
        "trajectories": starts,
        "duration": float(plan.times[-1]),
        "warmup": plan.warmup,
        **results(metrics[own]),
        "baselines": {name: results(metrics[name]) for name in others},
    }
    return Judged(found, _arrays(test, truth, plan, shown))


def taken_in(kind: type[Metric], judging: Judging) -> Metric | None:
    """A metric of the network's own rollouts alone; None where there are none."""
    plan = judging.plan
    if plan is None:
        return None
    metric = None
    for group in plan.groups(judging.test, judging.truth):
        metric = metric or kind(replace(judging.context, times=plan.times))
        metric.add(Batch(group.true, judging.follow(group)))
    return metric


def _baselines(train: TrajectoryDataset, truth: Truth | None) -> dict[str, Baseline]:
    names = () if truth is None else tuple(truth.system.parameters)
    fitted = Pairs.of(train, names, FITTED)
    validated = fitted
    if load_manifest(train.store.path).splits["validation"].trajectories:
        validation = TrajectoryDataset(train.store.path, "validation", train.task)
        validated = Pairs.of(validation, names, VALIDATED)
    found = {name: BASELINES.find(name).fit(fitted, validated) for name in USUAL}
    return {name: baseline for name, baseline in found.items() if baseline is not None}


def _cycle(truth: Truth, group: Group, times: np.ndarray) -> Cycle | None:
    """The limit cycle to which all rollouts come.

    Rows with parameters of their own have cycles of their own, fields more than one, and delays start from a past.
    """
    system, parameters = truth.system, group.parameters
    if not (system.kind == System.kind and system.autonomous and bool((parameters == parameters[0]).all())):
        return None
    step = float(times[1]) / CYCLE_OVERSAMPLING
    assert group.starts is not None
    return limit_cycle(truth.engine, group.starts, parameters, float(times[-1]), step, truth.observed[0])


def _arrays(
    test: TrajectoryDataset, truth: Truth | None, plan: RolloutPlan, shown: list[tuple[Group, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Of some rollouts, for figures; and the truth of the one that is drawn, where that is over so few times that it
    would have corners.
    """
    true = np.concatenate([group.true for group, _ in shown])
    rows = np.concatenate([group.rows for group, _ in shown])
    arrays = {
        "rollout_time": plan.times,
        "rollout_true": true,
        "rollout_predicted": np.concatenate([predicted for _, predicted in shown]),
        "rollout_row": rows,
    }
    if truth is None or len(test.components) > CURVES:
        return arrays
    drawn = first_moving(true)
    begins = np.concatenate([np.full(len(group.rows), group.begin) for group, _ in shown])
    begin = float(test.time[begins[drawn]])
    smooth = truth.smooth(rows[drawn], begin + plan.times, SMOOTH_POINTS)
    if smooth is not None:
        arrays |= {"rollout_smooth_time": smooth[0] - begin, "rollout_smooth_true": smooth[1]}
    return arrays
