"""Models that go on in a space of their own, and tell states from there."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from .model import Memory, Model


class LatentModel(Model):
    """A model whose latest two inputs make a latent state, which goes on by itself and is turned into states again.

    A rollout does not show it its own predictions. A subclass has `encode`, `advance` and `decode`. Before a sequence
    its first input is taken to have lasted for ever.
    """

    is_latent: ClassVar[bool] = True
    # Of one state, with itself before it, no momentum follows.
    blind: ClassVar[int] = 1
    task: ClassVar[str | None] = "forecast"

    @abstractmethod
    def encode(self, before: Tensor, now: Tensor) -> Tensor:
        """The latent state (..., L) of two states one after the other, (..., D) each."""
        raise NotImplementedError

    @abstractmethod
    def advance(self, latent: Tensor) -> Tensor:
        """The latent state (..., L) one point later."""
        raise NotImplementedError

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """The state (..., D) that a latent state is of."""
        raise NotImplementedError

    def begin(self, history: Tensor) -> Tensor:
        """The latent state (B, L) at the end of a history (B, W, D)."""
        return self.encode(history[:, max(-2, -history.shape[1])], history[:, -1])

    def forward(self, inputs: Tensor) -> Tensor:
        """The states after each of (B, T, D): (B, T, D)."""
        before = torch.cat([inputs[:, :1], inputs[:, :-1]], dim=1)
        return self.decode(self.advance(self.encode(before, inputs)))

    def run(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; the memory is the input before, (B, D)."""
        first: Any = inputs[:, 0] if memory is None else memory
        before = torch.cat([first[:, None], inputs[:, :-1]], dim=1)
        return self.decode(self.advance(self.encode(before, inputs))), inputs[:, -1]

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model."""
        outputs, memory = self.run(inputs[:, None], memory)
        return outputs[:, 0], memory
