"""Long short-term memory: Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735."""

import torch
from torch import Tensor, nn

from .recurrent import Hidden, RecurrentModel


class LSTM(RecurrentModel):
    """nn.LSTM with a linear readout; the hidden state is the pair (h, c), with h between -1 and 1.

    It has gates that forget (Gers, Schmidhuber and Cummins 2000, doi:10.1162/089976600300015015), which the first
    paper has not.
    """

    cell = nn.LSTM
    parts = 2

    def as_hidden(self, code: Tensor) -> Hidden:
        h, c = code.split(self.layers)
        return torch.tanh(h).contiguous(), c.contiguous()
