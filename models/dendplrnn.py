"""Dendritic piecewise linear recurrent network: Brenner et al. (2022), arXiv:2207.02542."""

from typing import Any

import torch
from torch import Tensor, nn

from .dynamics_settings import DendplrnnSettings
from .piecewise import Pieces, PiecewiseModel, stable_diagonal, uniform


class DendPLRNN(PiecewiseModel):
    """z' = A z + W Phi(z) + h, with a diagonal A and Phi(z) = sum over b of alpha_b relu(z - H_b).

    W has a diagonal, too, and begins with even entries; the authors' own code keeps its diagonal at zero, and begins
    with the rest of the matrix that A is the diagonal of.

    Args:
        input_size: Components of the state.
        output_size: The same.
        units: M; 0 is as many as components.
        bases: How many thresholds H_b (M,) with their slopes alpha_b there are.
    """

    Settings = DendplrnnSettings

    def __init__(self, input_size: int, output_size: int, *, units: int = 0, bases: int = 20) -> None:
        super().__init__()
        self.begin_units(input_size, output_size, units)
        size = self.units
        self.A = nn.Parameter(stable_diagonal(size))
        self.W, self.h = nn.Parameter(uniform(size, size)), nn.Parameter(torch.zeros(size))
        self.alpha, self.H = nn.Parameter(uniform(bases)), nn.Parameter(torch.randn(bases, size))

    def pieces(self) -> Pieces:
        """The map, as it is now; a hidden unit for each basis and unit."""
        bases, size = self.H.shape
        out = torch.einsum("b,ij->ibj", self.alpha, self.W).reshape(size, bases * size)
        inner = torch.eye(size, dtype=self.A.dtype, device=self.A.device).repeat(bases, 1)
        return Pieces(torch.diag(self.A), out, inner, -self.H.flatten(), self.h)

    def penalty(self) -> Tensor:
        """||1 - A||^2 + ||W||^2 + ||h||^2 + ||alpha||^2."""
        weights = (1 - self.A, self.W, self.h, self.alpha)
        return torch.stack([weight.square().sum() for weight in weights]).sum()

    @classmethod
    def fewest_weights(cls, **_: Any) -> int:
        return 5
