"""Which samples an index is of, and which windows are samples at all."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import Tensor

Index = int | slice | Sequence[int] | np.ndarray | Tensor
# Windows whose size is looked at together.
LOOKED_AT = 8_192


def sample_numbers(index: Index, total: int) -> np.ndarray:
    """Sample numbers from 0 as an int64 array, (B,), or () of a single one, of so many samples.

    Raises IndexError where there is no such sample.
    """
    if isinstance(index, slice):
        return np.arange(*index.indices(total))
    numbers = np.asarray(index)
    if numbers.size and numbers.dtype.kind not in "iu":
        raise IndexError(f"index of {numbers.dtype}; samples are numbered by integers")
    if numbers.ndim > 1:
        raise IndexError(
            f"index of shape {numbers.shape}; expected an integer, a slice or a list of integers"
        )
    numbers = numbers.astype(np.int64, copy=False)
    low, high = (int(numbers.min()), int(numbers.max())) if numbers.size else (0, -1)
    if low < -total or high >= total:
        raise IndexError(f"sample {high if high >= total else low} of a dataset with {total}")
    return np.where(numbers < 0, numbers + total, numbers) if low < 0 else numbers


def windows_within(
    limits: Mapping[str, float], largest: Callable[[str, np.ndarray], np.ndarray], total: int
) -> np.ndarray:
    """Numbers of the windows, of so many, in which no value of a variable is beyond its limit.

    largest  the largest absolute value (n,) of a variable in each of windows (n,)
    """
    found = []
    for first in range(0, total, LOOKED_AT):
        numbers = np.arange(first, min(first + LOOKED_AT, total))
        small = [largest(variable, numbers) <= limit for variable, limit in limits.items()]
        found.append(numbers[np.logical_and.reduce(small)])
    return np.concatenate(found)
