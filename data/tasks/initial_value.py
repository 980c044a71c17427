"""A whole trajectory from its first state."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .task import Task, with_channels

if TYPE_CHECKING:
    from torch import Tensor


class InitialValue(Task):
    """Inputs are x(0) at the first step and zeros after; the target is the whole window."""

    name = "initial-value"

    def inputs(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        inputs = states.new_zeros(states.shape)
        inputs[:, 0] = states[:, 0]
        return inputs

    def targets(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        return states

    def begin(self, model: Any, history: "Tensor", channels: "Tensor", length: int) -> Any:
        return (history[:, -1],)

    def advance(self, model: Any, carry: Any, channels: "Tensor", length: int) -> "tuple[Tensor, Any]":
        """The last state of a predicted window is the first of the next."""
        (now,) = carry
        inputs = now.new_zeros(len(now), length, now.shape[1])
        inputs[:, 0] = now
        states = model(with_channels(inputs, channels))[:, 1:]
        return states, (states[:, -1],)
