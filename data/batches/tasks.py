"""Tasks: how a window of states becomes (inputs, targets)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..base.errors import DataError
from ..base.suggestions import did_you_mean


@dataclass(frozen=True)
class Task:
    """A task and its one function: states (B, T, D) -> inputs (B, T', D), targets (B, T', D)."""

    name: str
    minimum_length: int
    split: Callable[[Tensor], tuple[Tensor, Tensor]]

    def batch(
        self, states: Tensor, channels: Tensor | None = None, clean: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Inputs and targets; channels (B, P), constant in time, go behind the components of the inputs.

        clean  states that targets are taken from, as states (B, T, D) without noise; None takes them from the same
        """
        inputs, targets = self.split(states)
        if clean is not None:
            targets = self.split(clean)[1]
        if channels is None:
            return inputs, targets
        return torch.cat([inputs, channels[:, None].expand(-1, inputs.shape[1], -1)], dim=2), targets


def initial_value(states: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs are x(0) at the first step and zeros after; the target is the whole window."""
    inputs = states.new_zeros(states.shape)
    inputs[:, 0] = states[:, 0]
    return inputs, states


def forecast(states: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs are x(t), targets x(t + step): one sample shorter than the window."""
    return states[:, :-1], states[:, 1:]


TASKS = {
    task.name: task
    for task in (
        Task("initial-value", 1, initial_value),
        Task("forecast", 2, forecast),
    )
}


def get_task(name: str) -> Task:
    """The task of that name. Raises DataError if there is none."""
    if not isinstance(name, str) or name not in TASKS:
        raise DataError(f"no task {name!r}; there are {', '.join(TASKS)}.{did_you_mean(str(name), TASKS)}")
    return TASKS[name]
