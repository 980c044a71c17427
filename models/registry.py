"""Models by the name that a config gives them."""

from typing import Any

from ..data.base.errors import TrajstoreError
from ..data.base.suggestions import did_you_mean
from .gru import GRU
from .lstm import LSTM
from .recurrent import RecurrentModel

MODELS: dict[str, type[RecurrentModel]] = {"lstm": LSTM, "gru": GRU}


def make_model(name: str, input_size: int, output_size: int, **settings: Any) -> RecurrentModel:
    """The model of that name, freshly initialised from torch's global generator.

    Raises TrajstoreError if there is none of that name.
    """
    if name not in MODELS:
        raise TrajstoreError(f"no model {name!r}; there are {', '.join(MODELS)}.{did_you_mean(name, MODELS)}")
    return MODELS[name](input_size, output_size, **settings)
