"""The number types that samples may have, however a caller names them."""

from typing import Any

import numpy as np
import torch

from ..base.errors import DataError
from ..shard.schema import STATE_DTYPES

# torch's own, NumPy's, a Python type, or a name.
Dtype = torch.dtype | np.dtype | type | str


def sample_dtype(value: Dtype | Any) -> torch.dtype:
    """torch.float32 or torch.float64. Raises DataError for any other type."""
    name = str(value).removeprefix("torch.")
    if not isinstance(value, torch.dtype) and name not in STATE_DTYPES:
        try:
            name = np.dtype(value).name
        except TypeError:
            name = ""
    # To NumPy, no type at all is float64.
    if value is None or name not in STATE_DTYPES:
        raise DataError(f"dtype is {value!r:.80}; expected one of {', '.join(STATE_DTYPES)}")
    return getattr(torch, name)
