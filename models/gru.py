"""Gated recurrent unit: Cho et al. (2014), doi:10.3115/v1/D14-1179."""

import torch
from torch import Tensor, nn

from .recurrent import Hidden, RecurrentModel


class GRU(RecurrentModel):
    """nn.GRU with a linear readout; the hidden state is h, between -1 and 1.

    The gate that resets is on what weights make of h, tanh(W x + b + r (U h + c)), where the paper's is on h itself.
    """

    cell = nn.GRU
    parts = 1

    def as_hidden(self, code: Tensor) -> Hidden:
        return torch.tanh(code).contiguous()
