"""Transformer: Vaswani et al. (2017), arXiv:1706.03762, which attends to the latest inputs alone.

Each layer sees the last `length` of its inputs, so that outputs depend on layers (length - 1) + 1 inputs, and no
others. Places are told by how long ago they were: a bias for each head and lag, as Raffel et al. (2020),
arXiv:1910.10683, have it, so that the map is the same at all times. Norms come first (Xiong et al. 2020,
arXiv:2002.04745).
"""

import torch
from torch import Tensor, nn

from .layers import perceptron
from .model import Memory
from .settings import TransformerSettings
from .stacked import Block, StackedModel

# Widths of the perceptron in each layer, in those of the model, as in the paper.
EXPANSION = 4


class Attention(Block):
    """softmax(q k / sqrt(d) + b_lag) v in each of several heads, then a perceptron, both beside what went in.

    Before a sequence its first input is taken to have lasted for ever: whatever the weights, all that a layer then
    saw before is what it sees at the first step. The memory is the keys and values before, (B, length - 1, 2 W).
    """

    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.heads, self.length = heads, length
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, 3 * width)
        self.lags = nn.Parameter(torch.zeros(heads, length))
        self.joined = nn.Linear(width, width)
        self.norm_between = nn.LayerNorm(width)
        self.perceptron = perceptron(width, [EXPANSION * width], width, "gelu")

    def forward(self, seen: Tensor, past: Memory = None) -> tuple[Tensor, Memory]:
        queries, told = self.projection(self.norm(seen)).tensor_split([seen.shape[2]], dim=2)
        before = told[:, :1].expand(-1, self.length - 1, -1) if past is None else past
        told = torch.cat([before, told], dim=1)
        keys, values = told.chunk(2, dim=2)
        seen = seen + self.joined(self.attended(queries, keys, values))
        return seen + self.perceptron(self.norm_between(seen)), told[:, seen.shape[1] :]

    def attended(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(B, T, W) of queries (B, T, W), keys and values (B, length - 1 + T, W)."""
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (queries, keys, values))
        steps = torch.arange(q.shape[2], device=q.device)
        lag = steps[:, None] + self.length - 1 - torch.arange(k.shape[2], device=q.device)
        bias = self.lags[:, lag.clamp(0, self.length - 1)]
        bias = bias.masked_fill((lag < 0) | (lag >= self.length), -torch.inf)
        scores = (q / q.shape[3] ** 0.5) @ k.transpose(2, 3) + bias
        return (scores.softmax(dim=3) @ v).transpose(1, 2).flatten(2)


class Transformer(StackedModel):
    """Layers of attention.

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        hidden: Width of what the layers see.
        layers: How many.
        heads: In each layer; `hidden` is a multiple.
        length: How many of its latest inputs each layer sees.
    """

    Settings = TransformerSettings

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 32,
        layers: int = 2,
        heads: int = 4,
        length: int = 32,
    ) -> None:
        blocks = [Attention(hidden, heads, length) for _ in range(layers)]
        super().__init__(input_size, output_size, hidden, blocks)
