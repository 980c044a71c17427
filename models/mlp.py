"""Multilayer perceptron: Rumelhart, Hinton and Williams (1986), doi:10.1038/323533a0."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from .layers import perceptron
from .model import WindowModel
from .settings import MlpSettings


class MLP(WindowModel):
    """A perceptron that sees the latest inputs side by side, and remembers nothing else.

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        hidden: Widths of the hidden layers.
        activation: "tanh", "relu", "gelu" or "silu".
        points: How many of the latest inputs it sees; 1 is the present one alone.
        bias: Whether the last layer has one.
        orthogonal: Whether weights begin as orthogonal matrices.
    """

    Settings = MlpSettings

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: Sequence[int] = (32, 32),
        activation: str = "tanh",
        points: int = 1,
        bias: bool = True,
        orthogonal: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.length = input_size, output_size, points
        self._sizes = (points * input_size, *hidden, output_size)
        options = {"bias": bias, "orthogonal": orthogonal}
        self.layers = perceptron(points * input_size, hidden, output_size, activation, **options)

    def foretell(self, window: Tensor) -> Tensor:
        """As of every window model."""
        return self.layers(window.flatten(1))

    @classmethod
    def fewest_weights(cls, *, hidden: Sequence[int] = (32, 32), bias: bool = True, **_: Any) -> int:
        return 2 * len(hidden) + 1 + bias

    def work(self, batch: int) -> float:
        return batch * sum(before * after for before, after in pairwise(self._sizes))
