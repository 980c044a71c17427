"""The next state from those before."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .task import Task

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
        return inputs.reshape(-1, inputs.shape[2]), targets.reshape(-1, 1, targets.shape[2])

    def go_on(self, model: Any, history: "Tensor", steps: int, channels: "Tensor", length: int) -> "Tensor":
        """The history warms the network up; then each prediction is its next input."""
        import torch

        memory, now, predicted = None, history[:, 0], []
        for number in range(history.shape[1] + steps - 1):
            now, memory = model.step(torch.cat([now, channels], dim=1), memory)
            if number >= history.shape[1] - 1:
                predicted.append(now)
            else:
                now = history[:, number + 1]
        return torch.stack(predicted, dim=1)
