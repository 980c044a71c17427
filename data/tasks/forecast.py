"""The next state from those before."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .task import Task, each_step

if TYPE_CHECKING:
    from torch import Tensor

# Of a tenth of a row: memory of a network is filled by then.
MOST_WARMUP = 100


class Forecast(Task):
    """Inputs are x(t), targets x(t + step): one point shorter than the window."""

    name = "forecast"
    one_step = True
    minimum_length = 2

    def inputs(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        return states[:, :-1]

    def targets(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        return states[:, 1:]

    def target_times(self, times: np.ndarray) -> np.ndarray:
        return times[1:]

    def warmup(self, points: int) -> int:
        return min(MOST_WARMUP, points // 10)

    def alone(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each target from the input one step before it."""
        return each_step(inputs, targets)

    def begin(self, model: Any, history: "Tensor", channels: "Tensor", length: int) -> Any:
        """The history warms the network up, or makes its latent state."""
        import torch

        if getattr(model, "is_latent", False):
            return (model.begin(history),)

        memory = None
        for now in history[:, :-1].unbind(dim=1):
            _, memory = model.step(torch.cat([now, channels], dim=1), memory)
        return history[:, -1], memory

    def advance(self, model: Any, carry: Any, channels: "Tensor", length: int) -> "tuple[Tensor, Any]":
        """Each prediction is the next input, but of a network that goes on in a space of its own."""
        import torch

        if getattr(model, "is_latent", False):
            (latent,) = carry
            latent = model.advance(latent)
            return model.decode(latent)[:, None], (latent,)

        now, memory = carry
        now, memory = model.step(torch.cat([now, channels], dim=1), memory)
        return now[:, None], (now, memory)
