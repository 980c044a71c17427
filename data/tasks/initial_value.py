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

    def go_on(self, model: Any, history: "Tensor", steps: int, channels: "Tensor", length: int) -> "Tensor":
        """The last state of a predicted window is the first of the next."""
        import torch

        now, pieces = history[:, -1], []
        for _ in range(0, steps, length - 1):
            inputs = now.new_zeros(len(now), length, now.shape[1])
            inputs[:, 0] = now
            pieces.append(model(with_channels(inputs, channels))[:, 1:])
            now = pieces[-1][:, -1]
        return torch.cat(pieces, dim=1)[:, :steps]
