"""A trained network as a forecaster: standardised, told of its parameters, and back in raw units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ....data.batches.normalize import Normalizer
from ....data.tasks.task import Task
from ....models import Model


def kind_of(model: Model) -> dict[str, Any]:
    """Type and device of a model's weights; of one that has none, float32 on the CPU."""
    weights = next(model.parameters(), None) if isinstance(model, torch.nn.Module) else None
    if weights is None:
        return {"dtype": torch.float32}
    return {"dtype": weights.dtype, "device": weights.device}


@dataclass(frozen=True)
class Trained:
    """Attributes:
    model: In evaluation mode, where it is to compute.
    task: What it has learned.
    length: Points of the windows that it has learned from.
    normalizer: How states are standardised for it; None if they are not.
    told: Places, among the parameters of the system, of those that it is told.
    told_normalizer: How these are standardised.
    """

    model: Model
    task: Task
    length: int
    normalizer: Normalizer | None = None
    told: Sequence[int] = ()
    told_normalizer: Normalizer | None = None

    @torch.no_grad()
    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        """As of every forecaster."""
        states, channels = self.seen(history, parameters, kind_of(self.model))
        return self.raw(self.task.go_on(self.model, states, steps, channels, self.length))

    def seen(
        self, history: np.ndarray, parameters: np.ndarray, kind: dict[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """History and channels as the network sees them."""
        states = torch.from_numpy(history).to(**kind)
        channels = torch.from_numpy(np.ascontiguousarray(parameters[:, list(self.told)])).double()
        if self.told_normalizer is not None:
            channels = self.told_normalizer.apply(channels)
        return (states if self.normalizer is None else self.normalizer.apply(states)), channels.to(**kind)

    def raw(self, states: torch.Tensor) -> np.ndarray:
        """States in raw units, float64."""
        found = states if self.normalizer is None else self.normalizer.invert(states)
        return found.double().cpu().numpy()
