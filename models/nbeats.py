"""N-BEATS: Oreshkin, Carpov, Chapados and Bengio (2020), arXiv:1905.10437, with blocks of the generic kind."""

from typing import Any

from torch import Tensor, nn

from .layers import perceptron
from .model import WindowModel
from .settings import NbeatsSettings


class GenericBlock(nn.Module):
    """Fully connected layers, and what they say of the window and of what follows, each in a learned basis."""

    def __init__(self, seen: int, told: int, hidden: int, layers: int, basis: int, *, is_last: bool) -> None:
        super().__init__()
        self.layers = perceptron(seen, [hidden] * layers, basis if is_last else 2 * basis, "relu", bias=False)
        self.forecast = nn.Linear(basis, told)
        # Nobody is left to see what the last block leaves of the window.
        self.backcast = None if is_last else nn.Linear(basis, seen)

    def forward(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """What it leaves (B, S) of the residual of the window, and its part (B, D_out) of the outputs."""
        expanded = self.layers(residual)
        if self.backcast is None:
            return residual, self.forecast(expanded)
        forward, backward = expanded.chunk(2, dim=1)
        return residual - self.backcast(backward), self.forecast(forward)


class NBEATS(WindowModel):
    """Blocks one after the other: each sees what those before it could not explain of the latest inputs, and what
    they foretell adds up.

    The window is of all components side by side, and the outputs are those of one sample, so that a forecast goes
    on sample by sample as those of the other models do; the paper's are single series, and whole horizons.

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        hidden: Width of the layers of each block.
        layers: How many of these.
        blocks: How many.
        basis: Functions in which each block expands the window, and the outputs.
        length: How many of the latest inputs are seen.
    """

    Settings = NbeatsSettings

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 64,
        layers: int = 4,
        blocks: int = 4,
        basis: int = 16,
        length: int = 16,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.length = input_size, output_size, length
        self.hidden = hidden
        sizes = (length * input_size, output_size, hidden, layers, basis)
        self.blocks = nn.ModuleList(
            GenericBlock(*sizes, is_last=number == blocks - 1) for number in range(blocks)
        )

    def foretell(self, window: Tensor) -> Tensor:
        """As of every window model."""
        residual = window.flatten(1)
        foretold = residual.new_zeros(len(residual), self.output_size)
        for block in self.blocks:
            residual, part = block(residual)
            foretold = foretold + part
        return foretold

    @classmethod
    def fewest_weights(cls, *, layers: int = 4, blocks: int = 4, **_: Any) -> int:
        return blocks * (2 * layers + 3)

    def work(self, batch: int) -> float:
        return batch * self.hidden**2
