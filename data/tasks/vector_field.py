"""The slope of a state, dx/dt, from the state alone."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import PositiveFloat

from ..base.errors import DataError
from ..base.section import Section
from .integrating import integrate
from .task import TARGET, Task, each_step

if TYPE_CHECKING:
    from torch import Tensor

# The variable of the store.
SLOPES = "derivative"


class VectorField(Task):
    """Inputs are x(t), targets dx/dt at the clean state, which datasets keep with `[observation] derivative`.

    A rollout integrates what was learned, in float64.
    """

    name = "vector-field"
    variables = (SLOPES,)
    usual_window = 1
    rates = True

    class Settings(Section):
        """Of `vector-field`.

        Attributes:
            tolerance: Of a step of the integrator, in rollouts; relative.
            largest_derivative: Points at which a component of dx/dt is larger are left out, of training and of
                errors; how many is told.
        """

        tolerance: PositiveFloat = 1e-9
        largest_derivative: PositiveFloat | None = None

    def __init__(self, *, tolerance: float = 1e-9, largest_derivative: float | None = None) -> None:
        self.tolerance = self._tolerance = tolerance
        self.limits = {} if largest_derivative is None else {SLOPES: largest_derivative}
        self._step: float | None = None

    def inputs(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        """The states as observed, or without noise where `target` is "clean"."""
        return beside.get(TARGET, states)

    def targets(self, states: "Tensor", beside: Mapping[str, "Tensor"]) -> "Tensor":
        return beside[SLOPES]

    def rollout_points(self, window: int, points: int) -> int:
        return points

    def sampled(self, step: float) -> Self:
        sampled = copy.copy(self)
        sampled._step = step
        return sampled

    def alone(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each slope from the state that it is of."""
        return each_step(inputs, targets)

    def go_on(self, model: Any, history: "Tensor", steps: int, channels: "Tensor", length: int) -> "Tensor":
        if self._step is None:
            raise DataError(
                "a rollout of the task vector-field needs the time from point to point; give step, in units of time"
            )
        import torch

        # Single precision would end the integrator's steps at its rounding.
        exact = copy.deepcopy(model).cpu().double()
        told = channels.detach().cpu().double()

        def field(states: np.ndarray, rows: np.ndarray) -> np.ndarray:
            inputs = torch.cat([torch.from_numpy(np.ascontiguousarray(states)), told[rows]], dim=1)
            return exact(inputs[:, None])[:, 0].detach().numpy()

        starts = history[:, -1].detach().cpu().double().numpy()
        times = self._step * np.arange(1, steps + 1)
        with torch.no_grad():
            found = integrate(field, starts, times, self._tolerance)
        return torch.from_numpy(found).to(history)
