"""What a metric is: told of batches of true and predicted states, asked for its result in the end."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ....data.base.errors import TrajstoreError
from ...dynamics.systems import System
from .cycle import Cycle


@dataclass(frozen=True)
class Context:
    """What is judged.

    Attributes:
        components: Names of the D components.
        scales: (D,) their standard deviations over the train split.
        times: (T,) of the predicted points, in units of time; of rollouts the start is the first.
        step: From sample to sample, in units of time.
        system: The equations; None of measured data.
        cycle: The limit cycle to which all trajectories come, by its first component; None where there is none.
        lyapunov: The largest Lyapunov exponent of the equations, a unit of time; None where it is not known.
        exponents: Measures the largest Lyapunov exponent of what is judged, (n,), from runs (n, T, D) of it and
            parameters (n, P); None where that cannot be done.
        learns_clean: Whether the targets are the states without noise.
        driven: Whether inputs are given at every step, see `Task`.
        blind: Whether what is judged cannot know the first target of a sample, see `Model`.
    """

    components: tuple[str, ...]
    scales: np.ndarray
    times: np.ndarray
    step: float = 0.0
    system: System | None = None
    cycle: Cycle | None = None
    lyapunov: float | None = None
    exponents: Callable[[np.ndarray, np.ndarray | None], list[float]] | None = None
    learns_clean: bool = False
    driven: bool = False
    blind: bool = False


@dataclass(frozen=True)
class Batch:
    """Some samples, rollouts or free runs: `true` and `predicted` (n, T, D) float64 in raw units.

    `observed` and `clean` are the true states with and without noise, where both are stored; `parameters` (n, P) are
    those of the system, of rollouts. A free run is compared with true ones that began elsewhere.
    """

    true: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray | None = None
    clean: np.ndarray | None = None
    parameters: np.ndarray | None = None


class Metric:
    """Made as `Metric(context)`, told of every batch, and asked once.

    Attributes:
        over: Whether it judges the targets of the test split, long rollouts, or free runs: a few that are much
            longer, without their beginning, for statistics of the attractor. These are made only where a metric
            of them is named. Where inputs are given at every step there are neither, but whole rows, over which a
            network is run one step at a time.
        floor: What stands in a prediction's place for the floor of it: another true trajectory, or the truth itself.
        of_baselines: Whether baselines are judged by it, too.
        key: Of its result in metrics.json, under `test` or `rollout`; none merges a result that is a table.
        pools: Whether runs can be taken together as one, for it is blind to the order of states: so many points tell
            more than the mean over pairs of runs does, where weights are chosen by it.
        better: Which of two values is better, for each key of its result by which weights may be chosen.
    """

    over: ClassVar[Literal["targets", "rows", "rollouts", "free-runs"]] = "targets"
    floor: ClassVar[Literal["another", "itself"] | None] = "another"
    of_baselines: ClassVar[bool] = True
    key: ClassVar[str | None] = None
    pools: ClassVar[bool] = False
    better: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {}

    def __init__(self, context: Context) -> None:
        self.context = context

    @classmethod
    def wanted(cls, context: Context) -> bool:
        """Is there what it needs?"""
        return True

    @classmethod
    def selectable(cls, context: Context) -> Mapping[str, Literal["lower", "higher"]]:
        """Those of `better` that there are of such data: by no others can weights be chosen."""
        return cls.better if cls.wanted(context) else {}

    @abstractmethod
    def add(self, batch: Batch) -> None:
        """Take in a batch; memory must not grow with their number."""
        raise NotImplementedError

    @abstractmethod
    def result(self) -> Any:
        """JSON-ready, of all batches."""
        raise NotImplementedError

    def chosen_by(self, key: str) -> float | None:
        """The value by which weights are chosen, of a key of `better`; None, or not finite, where there is none.

        There is none that is of finite predictions alone where others are not, for those are the easier ones.

        Raises TrajstoreError where the result is none.
        """
        return results([self]).get(key)


class PairMetric(Metric):
    """A distance of a free run from a true one: the mean over their pairs, `KEY`, and the deviation, `KEY_std`.

    Subclasses say `name`, the key, and the `distance` (T, D), (T, D) -> float, NaN where it cannot be had.
    """

    over = "free-runs"
    name: ClassVar[str]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._found: list[float] = []

    @staticmethod
    def distance(true: np.ndarray, predicted: np.ndarray) -> float:
        raise NotImplementedError

    def add(self, batch: Batch) -> None:
        self._found += [self.distance(*pair) for pair in zip(batch.true, batch.predicted, strict=True)]

    def result(self) -> dict[str, Any]:
        return spread_of(self.name, self._found)


def spread_of(name: str, values: list[float]) -> dict[str, float]:
    """The mean of values and their deviation, `NAME` and `NAME_std`; nothing if one is not finite."""
    if not values or not np.isfinite(values).all():
        return {}
    return {name: float(np.mean(values)), f"{name}_std": float(np.std(values))}


def results(metrics: list[Metric]) -> dict[str, Any]:
    """What metrics.json says of them.

    Raises TrajstoreError where one says nothing that has a key, or what another has said.
    """
    found: dict[str, Any] = {}
    for metric in metrics:
        name, result = type(metric).__name__, plain_value(metric.result())
        if metric.key is None and not isinstance(result, dict):
            raise TrajstoreError(
                f"metric {name}: has no `key`, and its result is {result!r:.80}; expected a key, or a result that is "
                "a table from keys to values"
            )
        told = result if metric.key is None else {metric.key: result}
        if taken := sorted(found.keys() & told.keys()):
            raise TrajstoreError(
                f"metric {name}: gives {', '.join(map(repr, taken))}, which another metric gives; expected a key of "
                "its own"
            )
        found |= told
    return found


def plain_value(result: Any) -> Any:
    """A result as JSON has it: numbers and arrays of NumPy as Python's own.

    Raises TrajstoreError where it holds anything else that JSON lacks.
    """
    if isinstance(result, np.ndarray | np.generic):
        result = result.tolist()
    if isinstance(result, Mapping):
        return {str(key): plain_value(value) for key, value in result.items()}
    if isinstance(result, list | tuple):
        return [plain_value(value) for value in result]
    if result is None or isinstance(result, bool | int | float | str):
        return result
    raise TrajstoreError(
        f"a metric gives {result!r:.80}, a {type(result).__name__}; expected a number, or lists or tables of numbers"
    )
