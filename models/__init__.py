"""Networks, and nothing else: one file each."""

from .gru import GRU
from .lstm import LSTM
from .recurrent import RecurrentModel, count_parameters
from .registry import MODELS, make_model

__all__ = ["GRU", "LSTM", "MODELS", "RecurrentModel", "count_parameters", "make_model"]
