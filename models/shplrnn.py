"""Shallow piecewise linear recurrent network: Hess, Monfared, Brenner and Durstewitz (2023), arXiv:2306.04406."""

from typing import Any

import torch
from torch import Tensor, nn

from .dynamics_settings import ShplrnnSettings
from .piecewise import Pieces, PiecewiseModel, stable_diagonal, uniform


class ShPLRNN(PiecewiseModel):
    """z' = A z + W1 relu(W2 z + h2) + h1, with a diagonal A.

    Args:
        input_size: Components of the state.
        output_size: The same.
        hidden: L, the rows of W2.
        units: M; 0 is as many as components.
        clipped: Whether W1 (relu(W2 z + h2) - relu(W2 z)) takes the place of the nonlinear part, which is bounded.
    """

    Settings = ShplrnnSettings

    def __init__(
        self, input_size: int, output_size: int, *, hidden: int = 50, units: int = 0, clipped: bool = False
    ) -> None:
        super().__init__()
        self.begin_units(input_size, output_size, units)
        size = self.units
        self.A = nn.Parameter(stable_diagonal(size))
        self.W1, self.W2 = nn.Parameter(uniform(size, hidden)), nn.Parameter(uniform(hidden, size))
        self.h1, self.h2 = nn.Parameter(torch.zeros(size)), nn.Parameter(uniform(hidden))
        self.clipped = clipped

    def pieces(self) -> Pieces:
        """The map, as it is now."""
        out, inner, threshold = self.W1, self.W2, self.h2
        if self.clipped:
            out, inner = torch.cat([out, -out], dim=1), torch.cat([inner, inner])
            threshold = torch.cat([threshold, torch.zeros_like(threshold)])
        return Pieces(torch.diag(self.A), out, inner, threshold, self.h1)

    def penalty(self) -> Tensor:
        """||1 - A||^2 + ||W1||^2 + ||W2||^2 + ||h1||^2 + ||h2||^2."""
        weights = (1 - self.A, self.W1, self.W2, self.h1, self.h2)
        return torch.stack([weight.square().sum() for weight in weights]).sum()

    @classmethod
    def fewest_weights(cls, **_: Any) -> int:
        return 5
