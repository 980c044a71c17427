"""What a task is: inputs and targets from windows of states, and how a network that learned it goes on."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel

from ..base.section import Section

if TYPE_CHECKING:
    # Configs are checked by tasks, and torch takes seconds to import.
    from torch import Tensor

# Beside the states: those that targets are taken from, where these are others than the inputs'.
TARGET = "target"


class Task:
    """Made as `Task(**settings)`; the settings are the keys of [task] that are its own, checked by `Settings`.

    Attributes:
        name: As messages have it; the name of the class, unless it says another.
        one_step: Whether each target is the next state after inputs that end with a true one.
        driven: Whether inputs are given at every step, so that nothing goes on by itself: there are no rollouts, and
            the network is run over whole rows instead, one step at a time.
        minimum_length: The fewest points that a window may have.
        usual_window: Points of a window unless it is said; None is a whole row.
        rates: Whether targets are slopes, dx/dt, and not states.
        variables: What it needs of the store beside the state: "clean_state", "derivative". Where states are
            standardised these are, too; derivatives are divided by the deviations of the states.
        tolerance: Of a step, where rollouts are integrated; relative.
        limits: By variable the largest absolute value, in raw units, of a sample that is learned from or judged.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseModel]] = Section
    one_step: ClassVar[bool] = False
    driven: ClassVar[bool] = False
    minimum_length: int = 1
    usual_window: ClassVar[int | None] = None
    rates: ClassVar[bool] = False
    variables: ClassVar[tuple[str, ...]] = ()
    tolerance: float | None = None
    limits: Mapping[str, float] = MappingProxyType({})

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def __str__(self) -> str:
        return self.name

    def on(self, components: Sequence[str]) -> Self:
        """This task on data of these components, of which windows of states are from then on.

        Raises DataError if it names others.
        """
        return self

    def seen(self, components: Sequence[str]) -> tuple[str, ...]:
        """The components of the inputs, in their order, of data of these; all, unless a task says otherwise."""
        return tuple(components)

    def told(self, components: Sequence[str]) -> tuple[str, ...]:
        """The components of the targets, in their order, of data of these; all, unless a task says otherwise."""
        return tuple(components)

    @property
    def of_states(self) -> bool:
        """Whether what comes out is of the kind of what goes in."""
        return not (self.driven or self.rates)

    @property
    def spans(self) -> bool:
        """Whether a whole window is foretold from its beginning, so that what is learned is of that many points."""
        return self.of_states and not self.one_step

    @abstractmethod
    def inputs(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        """Inputs (B, T', D') from windows of states (B, T, D); `beside` has the variables of the same shape."""
        raise NotImplementedError

    @abstractmethod
    def targets(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        """Targets (B, T', D'') from windows of states (B, T, D): those without noise, if they are learned."""
        raise NotImplementedError

    def target_times(self, times: np.ndarray) -> np.ndarray:
        """Times of the targets (T',) from those of the points of a window (T,)."""
        return times

    def warmup(self, points: int) -> int:
        """How many points of history a rollout has before its start, of rows of so many points, unless it is said."""
        return 0

    def rollout_points(self, window: int, points: int) -> int:
        """In what rollouts are counted, with the start: of windows of so many points, rows of so many."""
        return window

    def sampled(self, step: float) -> Self:
        """This task on data with points so far apart, in units of time."""
        return self

    def alone(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a predictor of one input is given, (M, D'), and what it has to foretell from it, (M, T'', D'').

        Of inputs (B, T', D') and targets (B, T', D''): all targets from the first input.
        """
        return inputs[:, 0], targets

    def go_on(self, model: Any, history: "Tensor", steps: int, channels: "Tensor", length: int) -> "Tensor":
        """What comes after a history, in the units that the network sees.

        Args:
            model: A `trajstore.models.Model` that has learned this task.
            history: (B, W, D) states, the latest last.
            steps: How many states to foretell.
            channels: (B, P) parameters that the network is told, P may be 0.
            length: Points of the windows that it has learned from.

        Returns:
            (B, steps, D).
        """
        import torch

        carry, pieces, done = self.begin(model, history, channels, length), [], 0
        while done < steps:
            states, carry = self.advance(model, carry, channels, length)
            pieces.append(states)
            done += states.shape[1]
        return torch.cat(pieces, dim=1)[:, :steps]

    def begin(self, model: Any, history: "Tensor", channels: "Tensor", length: int) -> Any:
        """What is carried along from a history, as of `go_on`: tensors, None, or tuples and lists of these.

        The whole of it decides what comes: how two runs part that are next to each other is measured in it. A
        task that has a `go_on` of its own can do without.
        """
        raise NotImplementedError

    def advance(self, model: Any, carry: Any, channels: "Tensor", length: int) -> "tuple[Tensor, Any]":
        """The next states (B, k, D), of one or more points, and what is carried along from there."""
        raise NotImplementedError

    def batch(
        self,
        states: "Tensor",
        channels: "Tensor | None" = None,
        beside: Mapping[str, "Tensor"] | None = None,
    ) -> "tuple[Tensor, Tensor]":
        """Inputs and targets of windows (B, T, D); channels (B, P), constant in time, go behind the inputs."""
        beside = beside or {}
        inputs, targets = self.inputs(states, beside), self.targets(beside.get(TARGET, states), beside)
        return (inputs if channels is None else with_channels(inputs, channels)), targets


def each_step(inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As of `Task.alone`: each target (B T', 1, D'') from the input of its own step (B T', D')."""
    return inputs.reshape(-1, inputs.shape[2]), targets.reshape(-1, 1, targets.shape[2])


def with_channels(inputs: "Tensor", channels: "Tensor") -> "Tensor":
    """Inputs (B, T, D) with channels (B, P) at every step: (B, T, D + P)."""
    import torch

    return torch.cat([inputs, channels[:, None].expand(-1, inputs.shape[1], -1)], dim=2)
