"""By what the best weights are chosen, and patience counts, where that is not the mean squared error."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from ...data.base.errors import TrajstoreError
from ...data.tasks.task import Task
from ...models import Model
from ..config.learning import Learning
from ..draw.run_figures.registry import FIGURES
from ..judge.forecasters.registry import BASELINES
from ..judge.judging import Judging
from ..judge.metrics.metric import Metric
from ..judge.metrics.registry import METRICS
from ..judge.rolled_out import taken_in
from ..runs.files import RunError
from ..runs.folder import RunConfig


def check_judged_by(config: Learning, *, installed: bool = True) -> None:
    """Raise TrajstoreError if the config names a metric, baseline or figure that there is not, also in a user's own
    file, or, where what is `installed` matters, one whose package is missing; or two figures that would be one file.
    """
    section = config.evaluation
    names = {"metrics": section.metrics, "baselines": section.baselines or []}
    for registry, key in ((METRICS, "metrics"), (BASELINES, "baselines")):
        for name in names[key]:
            try:
                registry.check(name)
                # Now, and not when hours of training are over.
                if installed or name not in registry.own:
                    registry.find(name, config.code)
            except TrajstoreError as error:
                raise RunError(f"evaluation.{key}: {error}") from None
    files = list(FIGURES.own)
    for name in section.figures:
        try:
            FIGURES.find(name, config.code)
        except TrajstoreError as error:
            raise RunError(f"evaluation.figures: {error}") from None
        file = name.rpartition(":")[2]
        if file in files:
            raise RunError(
                f"evaluation.figures: {name}: another figure is called {file}, and would be written over; expected "
                "a function of another name"
            )
        files.append(file)


def selected_metric(config: Learning, task: Task) -> type[Metric] | None:
    """The metric that `training.select` names, if it does. Raises TrajstoreError if there is none for the task."""
    wanted = config.training.select
    if wanted is None:
        return None
    found = _choices(config, task)
    if wanted not in found:
        raise RunError(f"training.select: got {wanted!r}, expected one of {', '.join(sorted(found))}")
    return found[wanted]


def _choices(config: Learning, task: Task) -> dict[str, type[Metric]]:
    """Metrics by the keys of all values by which weights may be chosen, whatever the data."""
    own = [METRICS.find(name, config.code) for name in config.evaluation.metrics]
    kinds = [*(METRICS.find(name) for name in METRICS.own), *own]
    over = ("targets", "rows") if task.driven else ("targets", "rollouts", "free-runs")
    return {key: kind for kind in kinds for key in kind.better if kind.over in over}


def _is_there(key: str, kind: type[Metric], judging: Judging) -> bool:
    """Has a network on such data a value of that key?"""
    if kind.over == "rollouts" and judging.plan is None:
        return False
    if kind.over == "free-runs" and judging.plan_free(1, 1) is None:
        return False
    return key in kind.selectable(judging.context)


@dataclass(frozen=True)
class Selection:
    """A metric on the validation split.

    Attributes:
        key: Of its value in metrics.json.
        kind: The metric.
        judging: The network, while it learns, on the validation split.
        points: Of free runs.
    """

    key: str
    kind: type[Metric]
    judging: Judging
    points: int

    @classmethod
    def of(cls, config: Learning, described: RunConfig, data: Path, task: Task, model: Model) -> Self | None:
        """None where the mean squared error is the choice.

        Raises TrajstoreError if there is no such metric, or none of such data.
        """
        kind, key = selected_metric(config, task), config.training.select
        if kind is None or key is None:
            return None
        judging = Judging.of(data, "validation", described, task, model, config.evaluation)
        if not _is_there(key, kind, judging):
            there = [
                name for name, other in _choices(config, task).items() if _is_there(name, other, judging)
            ]
            raise RunError(
                f"training.select: got {key!r}, of which there is no value on {data}; expected one of "
                f"{', '.join(sorted(there))}"
            )
        return cls(key, kind, judging, config.training.select_points)

    def value(self) -> float:
        """Of the network as it is now; NaN where it has none that is finite."""
        judging, whole = self.judging, self.judging.whole
        if self.kind.over == "rows" and whole is not None:
            metric = whole.taken_in(self.kind(replace(judging.context, times=whole.times)), whole.numbers)
        elif self.kind.over == "targets":
            metric = judging.samples.taken_in(self.kind(judging.context))
        else:
            metric = taken_in(self.kind, judging, self.points)
        found = None if metric is None else metric.chosen_by(self.key)
        return math.nan if found is None or not math.isfinite(found) else float(found)

    def is_better(self, value: float, best: float) -> bool:
        """Is it better than the best so far, which is NaN before there is one?"""
        if math.isnan(value) or math.isnan(best):
            return math.isnan(best) and not math.isnan(value)
        return value < best if self.kind.better[self.key] == "lower" else value > best
