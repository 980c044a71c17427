"""Models of a vector field: a slope for each state."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .energies import inverse
from .model import Memory, Model
from .phase_space import split_pairs


class FieldModel(Model):
    """A model whose output at a point depends on the input there alone: dx/dt of a state.

    A subclass has `field`.
    """

    is_field = True

    @abstractmethod
    def field(self, states: Tensor, parameters: Tensor) -> Tensor:
        """dx/dt (..., D) at states (..., D), where the parameters that the network is told are (..., P)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Slopes (B, T, D) of states, and parameters behind them, (B, T, D + P)."""
        return self.field(*inputs.split([self.output_size, inputs.shape[-1] - self.output_size], dim=-1))

    def run(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; nothing is remembered."""
        return self(inputs), None

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; nothing is remembered."""
        return self(inputs[:, None])[:, 0], None


class EnergyModel(FieldModel):
    """A field model that may have an energy, by which it is drawn and judged beside the true one.

    A subclass has `hamiltonian`.

    Attributes:
        pairs: Places of each coordinate and its momentum among the components; none where it has no energy.
    """

    pairs: Sequence[tuple[int, int]] = ()
    centre: Tensor
    scale: Tensor

    def begin_pairs(self, pairs: Any, size: int) -> tuple[list[int], list[int]]:
        """Set which components are pairs, as `split_pairs` takes them; places of each q, and of each p."""
        q, p = self._q, self._p = split_pairs(pairs, size)
        self.pairs = list(zip(q, p, strict=True))
        # Where each component's slope stands among those of all coordinates, then all momenta.
        self._back = inverse(q + p)
        return q, p

    def begin_scales(self, size: int, centre: Sequence[float] | None, scale: Sequence[float] | None) -> None:
        """Set what (D,) is taken off states, and what they are divided by; None is nothing."""
        self.register_buffer("centre", torch.tensor([0.0] * size if centre is None else list(centre)))
        self.register_buffer("scale", torch.tensor([1.0] * size if scale is None else list(scale)))

    @abstractmethod
    def hamiltonian(self, states: Tensor, parameters: Tensor) -> Tensor:
        """H (...) of states (..., D) and the parameters that the network is told (..., P), but for a constant."""
        raise NotImplementedError
