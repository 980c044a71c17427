"""Recurrent highway network: Zilly, Srivastava, Koutnik and Schmidhuber (2017), arXiv:1607.03474."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .recurrent import Hidden, RecurrentModel
from .settings import RhnSettings

# What the transform gates begin with: at first a state is carried rather than changed, as in the paper.
CARRIED = -2.0


class Highway(nn.Module):
    """Highway layers l = 1 to `depth` between one state and the next, the first of which sees the input.

    s_l = tanh(W x [l = 1] + R_l h_(l-1) + b_l), t_l = sigmoid(the same with weights of its own),
    h_l = s_l t_l + h_(l-1) (1 - t_l); h_0 is the state before, and h_depth the next.
    """

    def __init__(self, input_size: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(input_size, 2 * hidden, bias=False)
        layers = [nn.Linear(hidden, 2 * hidden) for _ in range(depth)]
        self.layers = nn.ModuleList(layers)
        with torch.no_grad():
            for layer in layers:
                layer.bias[hidden:] = CARRIED

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """States (B, T, hidden), and the last (1, B, hidden), from inputs (B, T, D) and the state before."""
        (h,), states = hidden, []
        for seen in self.inputs(inputs).unbind(dim=1):
            for number, layer in enumerate(self.layers):
                told = layer(h) if number else layer(h) + seen
                s, t = told.chunk(2, dim=1)
                h = torch.lerp(h, s.tanh(), t.sigmoid())
            states.append(h)
        return torch.stack(states, dim=1), h[None]


class RHN(RecurrentModel):
    """Highway layers within each step, with a linear readout; the hidden state is h, between -1 and 1.

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        hidden: The size of the hidden state.
        depth: Highway layers within a step.
        encoder: As of every recurrent model.
    """

    Settings = RhnSettings
    parts = 1

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 20,
        depth: int = 3,
        encoder: Sequence[int] = (),
    ) -> None:
        recurrence = Highway(input_size, hidden, depth)
        super().__init__(input_size, output_size, hidden=hidden, encoder=encoder, recurrence=recurrence)

    def as_hidden(self, code: Tensor) -> Hidden:
        return torch.tanh(code)

    @classmethod
    def fewest_weights(cls, *, depth: int = 3, encoder: Sequence[int] = (), **_: Any) -> int:
        return 2 * depth + len(encoder)

    def work(self, batch: int) -> float:
        return batch * 2 * self.hidden**2
