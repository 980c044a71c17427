"""Almost-linear recurrent network: Brenner, Hemmer, Monfared and Durstewitz (2024), arXiv:2410.14240."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .dynamics_settings import AlrnnSettings
from .facts import DataFacts
from .model import Memory
from .piecewise import Pieces, PiecewiseModel, stable_diagonal


class ALRNN(PiecewiseModel):
    """z' = A z + W phi(z) + h, with a diagonal A and ReLU on the last P of the M units alone.

    So it is linear in each of 2^P regions, and where a trajectory goes is told by the region it is in.

    Args:
        input_size: Components of the state.
        output_size: The same.
        units: M, at least components and ReLUs together; of fewer so many are taken, which training refuses where the
            number is not the default.
        relus: P.
    """

    Settings = AlrnnSettings
    _inner: Tensor
    _none: Tensor
    _linear: Tensor

    def __init__(self, input_size: int, output_size: int, *, units: int = 20, relus: int = 2) -> None:
        super().__init__()
        self.begin_units(input_size, output_size, max(units, self.least_units(output_size, relus=relus)))
        size = self.units
        self.relus = relus
        self.A = nn.Parameter(stable_diagonal(size))
        self.W, self.h = nn.Parameter(0.01 * torch.randn(size, size)), nn.Parameter(torch.zeros(size))
        self.register_buffer("_inner", torch.eye(size)[size - relus :], persistent=False)
        self.register_buffer("_none", torch.zeros(relus), persistent=False)
        self.register_buffer("_linear", (torch.arange(size) < size - relus).float(), persistent=False)

    @classmethod
    def least_units(cls, components: int, **settings: Any) -> int:
        """Those that are the state have no ReLU."""
        return components + settings["relus"]

    @classmethod
    def completed(cls, settings: Mapping[str, Any], data: DataFacts) -> Mapping[str, Any]:
        """The settings, with more units than the default ones where these are fewer than the state and ReLUs need.

        Raises DataError where others are.
        """
        units = AlrnnSettings().units
        if settings["units"] == units:
            settings = {**settings, "units": max(units, cls.least_units(len(data.components), **settings))}
        return super().completed(settings, data)

    def pieces(self) -> Pieces:
        """The map, as it is now."""
        linear = torch.diag(self.A) + self.W * self._linear
        return Pieces(linear, self.W[:, self.units - self.relus :], self._inner, self._none, self.h)

    def symbols(self, memory: Memory) -> Tensor:
        """The region (...,) of each state of all units (..., M), from 0 to 2^P - 1: bit i is set where unit M - P + i
        is above 0.
        """
        on = memory[..., self.units - self.relus :] > 0
        return (on.long() << torch.arange(self.relus, device=memory.device)).sum(dim=-1)

    def penalty(self) -> Tensor:
        """||1 - A||^2 + ||W||^2 + ||h||^2."""
        weights = (1 - self.A, self.W, self.h)
        return torch.stack([weight.square().sum() for weight in weights]).sum()

    @classmethod
    def fewest_weights(cls, **_: Any) -> int:
        return 3
