"""Neural ordinary differential equation: Chen, Rubanova, Bettencourt and Duvenaud (2018), arXiv:1806.07366.

Gradients go back through the steps of the integrator, the classic method of order four (Kutta 1901) with a fixed
step: a trajectory is known at points that are close together, so that steps need not be chosen, and the whole of it
is a dozen lines. `benchmarks/neural_ode.py` measures it beside torchdiffeq and torchode.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from .dynamics_settings import NeuralOdeSettings
from .facts import DataFacts
from .layers import perceptron
from .model import Memory, Model
from .runge_kutta import kutta_step


class NeuralODE(Model):
    """A field that is learned from trajectories: outputs are the states that it leads to from the first input.

    Args:
        input_size: Components of the state, and parameters that it is told.
        output_size: Components of the state.
        hidden: Widths of the hidden layers of the field.
        activation: "tanh", "relu", "gelu" or "silu".
        substeps: Of the integrator from one point to the next.
        step: From point to point, in units of time.
    """

    Settings = NeuralOdeSettings
    task: ClassVar[str | None] = "initial-value"

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: Sequence[int] = (32, 32),
        activation: str = "tanh",
        substeps: int = 1,
        step: float | None = None,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, output_size
        self._substeps, self._size = substeps, (1.0 if step is None else step) / substeps
        self.layers = perceptron(input_size, hidden, output_size, activation)
        self._work = sum(parameter.numel() for parameter in self.layers.parameters())

    def field(self, inputs: Tensor) -> Tensor:
        """dx/dt (..., D) at states, with the parameters that the network is told behind them, (..., D + P)."""
        return self.layers(inputs)

    def flow(self, inputs: Tensor) -> Tensor:
        """The states (B, D) at the next point, from states and parameters (B, D + P) at this one."""
        state, told = inputs[:, : self.output_size], inputs[:, self.output_size :]

        def slope(states: Tensor) -> Tensor:
            return self.field(torch.cat([states, told], dim=1))

        for _ in range(self._substeps):
            state = kutta_step(slope, state, self._size)
        return state

    def forward(self, inputs: Tensor) -> Tensor:
        """States (B, T, D) from inputs (B, T, D + P), of which all states but the first are passed over."""
        return self.run(inputs)[0]

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; the memory is the state before, (B, D)."""
        size = self.output_size
        if memory is None:
            return inputs[:, :size], inputs[:, :size]
        state = self.flow(torch.cat([memory, inputs[:, size:]], dim=1))
        return state, state

    @classmethod
    def completed(cls, settings: Mapping[str, Any], data: DataFacts) -> dict[str, Any]:
        """The time from point to point."""
        return {**settings, "step": settings["step"] or data.step}

    @classmethod
    def fewest_weights(cls, *, hidden: Sequence[int] = (32, 32), **_: Any) -> int:
        return 2 * (len(hidden) + 1)

    def work(self, batch: int) -> float:
        return float(batch * self._work)
