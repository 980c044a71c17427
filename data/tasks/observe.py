"""Some components from others, which are given at every step."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field

from ..base.errors import DataError
from ..base.representation import few
from ..base.section import Section
from ..base.suggestions import did_you_mean
from .task import Task, each_step

if TYPE_CHECKING:
    from torch import Tensor


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("expected each name once")
    return names


Names = Annotated[list[str], Field(min_length=1), AfterValidator(_each_once)]


class ObserveSettings(Section):
    """Of `observe`.

    Attributes:
        inputs: Names of the components that the network is given at every point.
        targets: Names of those that it has to tell; they are stored, whether it is given them or not.
        ahead: 0: at the same point; 1: at the next one.
    """

    inputs: Names
    targets: Names
    ahead: Literal[0, 1] = 0


class Observe(Task):
    """Inputs are some components, targets some, at the same points or one point later."""

    name = "observe"
    Settings = ObserveSettings
    driven = True

    def __init__(self, *, inputs: Sequence[str], targets: Sequence[str], ahead: int = 0) -> None:
        self._seen, self._told, self._ahead = tuple(inputs), tuple(targets), ahead
        self._columns: dict[str, list[int]] = {}
        self.minimum_length = 1 + ahead

    def on(self, components: Sequence[str]) -> Self:
        found = type(self)(inputs=self._seen, targets=self._told, ahead=self._ahead)
        found._columns = {
            "inputs": _places("inputs", self._seen, components),
            "targets": _places("targets", self._told, components),
        }
        return found

    def seen(self, components: Sequence[str]) -> tuple[str, ...]:
        return self._seen

    def told(self, components: Sequence[str]) -> tuple[str, ...]:
        return self._told

    def inputs(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        return states[:, : states.shape[1] - self._ahead, self._columns["inputs"]]

    def targets(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        return states[:, self._ahead :, self._columns["targets"]]

    def target_times(self, times: np.ndarray) -> np.ndarray:
        return times[self._ahead :]

    def alone(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each target from the input of its own step."""
        return each_step(inputs, targets)


def _places(key: str, names: Sequence[str], components: Sequence[str]) -> list[int]:
    """Of these names among the components. Raises DataError, which names the key, for one that is not there."""
    for name in names:
        if name not in components:
            raise DataError(
                f"task.{key}: got {name!r:.80}, but stored are {few(components):.400}; choose among these. "
                "What the network is not given has to be stored all the same: [observation] components "
                f"names it, or is left out.{did_you_mean(name, components)}"
            )
    return [list(components).index(name) for name in names]
