"""Rollouts and free runs, judged: what is judged, every baseline from the same histories, and the truth as a
floor.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from .cycles import cycle_of
from .forecasters.forecaster import Baseline
from .forecasters.growth import MEASURED, Stepping, exponents
from .free_runs import HISTORY, FreeRuns, shown_of
from .judging import Judging
from .metrics.metric import Batch, Context, Metric, results
from .rollouts import Group
from .shown_rollouts import ShownRollouts

FLOORS = "floors"


@dataclass(frozen=True)
class Judged:
    """What metrics.json says of rollouts, and the arrays of some, for figures."""

    metrics: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass
class Contender:
    """Who goes on from histories, by what it is judged, and a Stepping where it can tell how its runs part."""

    follow: Callable[[Group], np.ndarray]
    stepping: Stepping | None
    is_baseline: bool
    metrics: list[Metric] = field(default_factory=list)

    def is_judged_by(self, kind: type[Metric], context: Context) -> bool:
        return kind.wanted(context) and (kind.of_baselines or not self.is_baseline)


def judge_rollouts(
    judging: Judging, kinds: Sequence[type[Metric]], baselines: Mapping[str, Baseline], points: int
) -> Judged | None:
    """Of metrics over rollouts, and over free runs if one of them is.

    Args:
        judging: What is judged.
        kinds: The metrics.
        baselines: Those beside it, fitted.
        points: Of free runs.

    Returns:
        None where windows are of one point, rows too short, or the truth of none can be integrated.
    """
    test, truth, plan = judging.test, judging.truth, judging.plan
    if plan is None:
        return None
    contenders = _contenders(judging, baselines)
    over = [kind for kind in kinds if kind.over == "rollouts"]
    floors: list[Metric] = []
    shown = ShownRollouts(judging, plan)
    starts = 0
    before: np.ndarray | None = None
    for group in plan.groups(test, truth):
        if not starts:
            cycle = None if truth is None else cycle_of(truth, group, plan.times)
            told = replace(judging.context, times=plan.times, cycle=cycle)
            for contender in contenders.values():
                contender.metrics = [kind(told) for kind in over if contender.is_judged_by(kind, told)]
            floors = [kind(told) for kind in over if kind.floor and kind.wanted(told)]
        starts += len(group.rows)
        for name, contender in contenders.items():
            predicted = contender.follow(group)
            for metric in contender.metrics:
                metric.add(Batch(group.true, predicted, parameters=group.parameters))
            shown.add(name, group, predicted)
        _add_floors(floors, group, before)
        before = group.true
    if not starts:
        return None
    own = contenders.get("")
    found = {
        "trajectories": starts,
        "duration": float(plan.times[-1]),
        "warmup": plan.warmup,
        **({} if own is None or test.task.tolerance is None else {"tolerance": test.task.tolerance}),
        **({} if own is None else results(own.metrics)),
        "baselines": {
            name: results(contender.metrics)
            for name, contender in contenders.items()
            if contender.is_baseline
        },
        FLOORS: _floors(floors, starts),
    }
    arrays = {} if own is None else shown.arrays()
    if any(kind.over == "free-runs" for kind in kinds):
        arrays |= _judge_free_runs(judging, kinds, contenders, points, found)
    return Judged(found, arrays)


def _contenders(judging: Judging, baselines: Mapping[str, Baseline]) -> dict[str, Contender]:
    """What is judged, under an empty name, and the baselines."""
    contenders: dict[str, Contender] = {}
    if judging.follow is not None:
        contenders[""] = Contender(judging.follow, judging.stepping, is_baseline=False)
    for name, baseline in baselines.items():
        stepping = baseline if type(baseline).advance is not Baseline.advance else None
        follow = partial(Group.continued, forecaster=baseline)
        contenders[name] = Contender(follow, stepping, is_baseline=True)
    return contenders


def _add_floors(floors: list[Metric], group: Group, before: np.ndarray | None) -> None:
    """Another true trajectory, that of the start before, in the place of each prediction; or the truth itself."""
    another = np.roll(group.true, 1, axis=0)
    if len(another) == 1:
        another = before
    for metric in floors:
        if metric.floor == "itself":
            metric.add(Batch(group.true, group.true, parameters=group.parameters))
        elif another is not None:
            count = min(len(another), len(group.true))
            true, parameters = group.true[-count:], group.parameters[-count:]
            metric.add(Batch(true, another[-count:], parameters=parameters))


def _floors(floors: list[Metric], starts: int) -> dict[str, Any]:
    """What the metrics give of the truth; those of single starts have no other to be compared with."""
    return results([metric for metric in floors if starts > 1 or metric.floor == "itself"])


def _judge_free_runs(
    judging: Judging,
    kinds: Sequence[type[Metric]],
    contenders: Mapping[str, Contender],
    points: int,
    found: dict[str, Any],
) -> dict[str, np.ndarray]:
    """Add the statistics of free runs to what was found of rollouts; arrays of a run, for figures."""
    runs = FreeRuns.of(judging, points)
    if runs is None:
        return {}
    arrays: dict[str, np.ndarray] = {}
    over = [kind for kind in kinds if kind.over == "free-runs"]
    told = replace(judging.context, times=judging.context.step * np.arange(runs.points))
    for name, contender in contenders.items():
        predicted = runs.followed(contender.follow)
        if not name:
            arrays = shown_of(runs.true, predicted, told.step)
            if judging.symbols is not None:
                arrays |= judging.symbols(runs.groups[0], runs.dropped)
        own = replace(told, exponents=_measure(contender.stepping, told.step, runs.points))
        contender.metrics = [kind(own) for kind in over if contender.is_judged_by(kind, own)]
        for batch in runs.pairs(predicted):
            for metric in contender.metrics:
                metric.add(batch)
        place = found["baselines"][name] if contender.is_baseline else found
        place |= results(contender.metrics)
    own = replace(told, exponents=partial(_true_exponents, judging, runs))
    floors = [kind(own) for kind in over if kind.floor and kind.wanted(own)]
    for batch in runs.true_pairs(judging):
        for metric in floors:
            metric.add(batch)
    found[FLOORS] |= results(floors)
    found["statistics"] = {"points": runs.points, "dropped": runs.dropped, "runs": runs.starts}
    return arrays


def _true_exponents(judging: Judging, runs: FreeRuns, *_: Any) -> list[float]:
    """Of the equations, along the true runs without their beginning."""
    truth, step = judging.truth, judging.context.step
    if truth is None:
        return []
    after = step * (max(1, runs.dropped) + np.arange(min(runs.points, MEASURED)))
    found = []
    for group in runs.groups:
        assert group.starts is not None
        for point in np.unique(group.begins):
            begin, of = float(judging.test.time[point]), group.begins == point
            found += truth.exponents(
                group.starts[of], group.parameters[of], group.rows[of], begin, begin + after
            )
    return found


def _measure(
    stepping: Stepping | None, step: float, points: int
) -> Callable[[np.ndarray, np.ndarray | None], list[float]] | None:
    """What measures the exponents of a contender, if it tells what it carries along."""
    if stepping is None:
        return None

    def measure(runs: np.ndarray, parameters: np.ndarray | None) -> list[float]:
        sound = np.isfinite(runs).all(axis=(1, 2))
        if not sound.any():
            return []
        told = np.empty((len(runs), 0)) if parameters is None else parameters
        try:
            return exponents(stepping, runs[sound, :HISTORY], told[sound], step, points).tolist()
        except NotImplementedError:
            return []

    return measure


def taken_in(kind: type[Metric], judging: Judging, points: int) -> Metric | None:
    """A metric of the network's own rollouts, or free runs of so many points, alone; None where there are none."""
    plan, follow = judging.plan, judging.follow
    if follow is None:
        return None
    if kind.over == "free-runs":
        return _taken_in_free(kind, judging, follow, points)
    if plan is None:
        return None
    metric = None
    for group in plan.groups(judging.test, judging.truth):
        metric = metric or kind(replace(judging.context, times=plan.times))
        metric.add(Batch(group.true, follow(group), parameters=group.parameters))
    return metric


def _taken_in_free(
    kind: type[Metric], judging: Judging, follow: Callable[[Group], np.ndarray], points: int
) -> Metric | None:
    runs = FreeRuns.of(judging, points)
    if runs is None:
        return None
    times = judging.context.step * np.arange(runs.points)
    metric = kind(replace(judging.context, times=times))
    predicted = runs.followed(follow)
    for batch in [runs.together(predicted)] if kind.pools else runs.pairs(predicted):
        metric.add(batch)
    return metric
