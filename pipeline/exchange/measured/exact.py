"""Numbers of any type as float32 or float64, with the same values."""

from typing import Any

import numpy as np

from ....data.base.errors import DataError

# Up to here float64 holds every whole number.
WHOLE = 2**53
OTHER = {
    "b": "truth values",
    "c": "complex numbers; make their real and imaginary parts two components",
    "M": "dates; make them seconds since the first",
    "m": "spans of time; divide them by a unit, as in t / np.timedelta64(1, 's')",
}


def as_floats(values: np.ndarray, name: str) -> np.ndarray:
    """An array as float32, if it is that, or float64. Raises DataError if it holds no numbers, or none of these."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind not in "iuf":
        what = f", {OTHER[kind]}" if kind in OTHER else ""
        raise DataError(f"{name} has dtype {values.dtype}{what}; expected numbers")
    if kind == "f" and size == 4:
        return values.astype(np.float32, copy=False)
    check_exact(values, name)
    with np.errstate(all="ignore"):
        return values.astype(np.float64, copy=False)


def check_exact(values: np.ndarray, name: str, missing: np.ndarray | None = None) -> None:
    """Raise DataError if float64 does not hold one of these numbers, but for those that are missing."""
    lost = _lost(values)
    if lost is None:
        return
    if missing is not None:
        lost = lost & ~missing
    if lost.any():
        raise not_held(name, values[lost].reshape(-1)[0])


def not_held(name: str, value: Any) -> DataError:
    """What is wrong with a number that float64 does not hold."""
    return DataError(
        f"{name} holds {value!s}, which no float64 is: it would become {float(value)!r}. Take something off before, "
        "such as the first value, or write fewer digits"
    )


def underflows(values: np.ndarray, dtype: str) -> np.ndarray:
    """Which values lose digits in this type because they are too close to 0 for it, or become 0."""
    kind = np.finfo(dtype)
    with np.errstate(all="ignore"):
        small = (values != 0) & (np.abs(values) < float(kind.smallest_normal))
        if not small.any():
            return small
        off = np.abs(values.astype(dtype).astype(np.float64) - values)
        return small & (off > float(kind.eps) / 2 * np.abs(values))


def _lost(values: np.ndarray) -> np.ndarray | None:
    """Which values float64 does not hold; None where it holds all of the type."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "f" and size > 8:
        with np.errstate(all="ignore"):
            return (values.astype(np.float64) != values) & ~np.isnan(values)
    if kind not in "iu" or size < 8:
        return None
    size_of = values.astype(np.uint64)
    if kind == "i":
        size_of = np.where(values < 0, ~size_of + np.uint64(1), size_of)
    lowest = np.maximum(size_of & (~size_of + np.uint64(1)), np.uint64(1))
    return size_of // lowest >= WHOLE
