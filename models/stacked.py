"""What sequence models of stacked blocks share: embedding, blocks, linear readout, and stepping."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .model import Memory, Model


class Block(nn.Module):
    """A layer that sees sequences, and leaves behind all that the next piece of them needs."""

    def forward(self, seen: Tensor, past: Memory = None) -> tuple[Tensor, Memory]:
        """What comes out (B, T, W) of what goes in (B, T, W), and what it remembers; None begins a sequence.

        Memories are real tensors, or tuples of them, of shapes that do not depend on how much was seen.
        """
        raise NotImplementedError


class StackedModel(Model):
    """Inputs are embedded in W dimensions, blocks follow one another, and what the last one says is read out.

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        width: W.
        blocks: From the first to the last.
    """

    def __init__(self, input_size: int, output_size: int, width: int, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.input_size, self.output_size, self.width = input_size, output_size, width
        self.embedding = nn.Linear(input_size, width)
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.readout = nn.Linear(width, output_size)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (B, T, D_out) of whole sequences of inputs (B, T, D_in)."""
        return self.run(inputs)[0]

    def run(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; the memory is that of each block."""
        seen, kept = self.embedding(inputs), []
        for block, past in zip(self.blocks, memory or [None] * len(self.blocks), strict=True):
            seen, now = block(seen, past)
            kept.append(now)
        return self.readout(self.norm(seen)), tuple(kept)

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; the memory is that of each block."""
        outputs, memory = self.run(inputs[:, None], memory)
        return outputs[:, 0], memory

    @classmethod
    def fewest_weights(cls, *, layers: int = 1, **_: Any) -> int:
        return 4 * layers

    def work(self, batch: int) -> float:
        return batch * 4 * self.width**2
