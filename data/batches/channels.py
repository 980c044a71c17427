"""Parameters of the system that go with the inputs, as channels that are constant in time."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..base.errors import DataError
from ..remote.opening import shown
from .normalize import Normalizer
from .split import Store


def read_channels(
    store: Store, names: Sequence[str], dtype: torch.dtype, scale: bool, normalizer: Normalizer | None
) -> tuple[Tensor, Normalizer | None]:
    """Channels (N, P) of all rows of a split, and how they are standardised.

    Args:
        store: The split.
        names: Of the parameters.
        dtype: Of the channels.
        scale: Whether they are standardised by the train split, unless a normalizer is given.
        normalizer: By which they are standardised.

    Raises:
        DataError: The dataset has no such parameter.
    """
    for name in names:
        if name not in store.parameters:
            known = ", ".join(store.parameters) or "none"
            raise DataError(f"{shown(store.path)}: has no parameter {name!r}; it has {known}")
    channels = torch.from_numpy(_columns(store, names))
    if scale and normalizer is None:
        train = store if store.split == "train" else Store(store.path, "train")
        normalizer = Normalizer.of_columns(_columns(train, names))
    if normalizer is not None:
        channels = normalizer.apply(channels)
    return channels.to(dtype), normalizer


def _columns(store: Store, names: Sequence[str]) -> np.ndarray:
    return np.stack([store.column(name) for name in names], axis=1)
