"""What a metric is: told of batches of true and predicted states, asked for its result in the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ...dynamics.systems import System
from .cycle import Cycle


@dataclass(frozen=True)
class Context:
    """What is judged.

    Attributes:
        components: Names of the D components.
        scales: (D,) their standard deviations over the train split.
        times: (T,) of the predicted points, in units of time; of rollouts the start is the first.
        system: The equations; None of measured data.
        cycle: The limit cycle to which all trajectories come, by its first component; None where there is none.
        learns_clean: Whether the targets are the states without noise.
    """

    components: tuple[str, ...]
    scales: np.ndarray
    times: np.ndarray
    system: System | None = None
    cycle: Cycle | None = None
    learns_clean: bool = False


@dataclass(frozen=True)
class Batch:
    """Some samples, or some rollouts: `true` and `predicted` (n, T, D) float64 in raw units.

    `observed` and `clean` are the true states with and without noise, where both are stored.
    """

    true: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray | None = None
    clean: np.ndarray | None = None


class Metric:
    """Made as `Metric(context)`, told of every batch, and asked once.

    Attributes:
        over: Whether it judges the targets of the test split, or long rollouts.
        of_baselines: Whether baselines are judged by it, too.
        key: Of its result in metrics.json, under `test` or `rollout`; none merges a result that is a table.
        better: Which of two values is better, for each key of its result by which weights may be chosen.
    """

    over: ClassVar[Literal["targets", "rollouts"]] = "targets"
    of_baselines: ClassVar[bool] = True
    key: ClassVar[str | None] = None
    better: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {}

    def __init__(self, context: Context) -> None:
        self.context = context

    @classmethod
    def wanted(cls, context: Context) -> bool:
        """Is there what it needs?"""
        return True

    def add(self, batch: Batch) -> None:
        """Take in a batch; memory must not grow with their number."""
        raise NotImplementedError

    def result(self) -> Any:
        """JSON-ready, of all batches."""
        raise NotImplementedError


def results(metrics: list[Metric]) -> dict[str, Any]:
    """What metrics.json says of them."""
    found: dict[str, Any] = {}
    for metric in metrics:
        result = metric.result()
        found |= result if metric.key is None else {metric.key: result}
    return found
