"""What the attributes of a netCDF variable say of its numbers: how they are packed, and which are missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....data.base.errors import DataError
from .exact import check_exact

# What the netCDF library writes where nothing was written, by kind and bytes; bytes have none.
DEFAULT_FILLS = {
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
    "f4": 9.969209968386869e36,
    "f8": 9.969209968386869e36,
}


def unpacked(
    path: Path, name: str, values: np.ndarray, attributes: Mapping[str, Any], *, defaults: bool
) -> np.ndarray:
    """Values as they are meant: stored * scale_factor + add_offset, NaN where missing.

    Missing is what equals _FillValue or missing_value, or lies outside valid_range, valid_min and valid_max; with
    `defaults`, also the library's own fill value where the variable names none. All of them speak of stored
    numbers. Raises DataError if one of these attributes is no number, or float64 does
    not hold a value.
    """
    if values.dtype.kind not in "iuf":
        return values
    signed = values.dtype
    if signed.kind == "i" and _text(attributes.get("_Unsigned")) == "true":
        values = values.view(np.dtype(signed.str.replace("i", "u")))

    def stored(key: str) -> list[Any]:
        given = _given(path, attributes, key, name)
        if values.dtype == signed:
            return given
        return [each.astype(signed).view(values.dtype) for each in given]

    fills = [*stored("_FillValue"), *stored("missing_value")]
    if defaults and "_FillValue" not in attributes and signed.str[1:] in DEFAULT_FILLS:
        fills.append(np.array(DEFAULT_FILLS[signed.str[1:]])[()])
    both = stored("valid_range")
    low, high = (both[:1], both[1:]) if len(both) == 2 else (stored("valid_min"), stored("valid_max"))
    gaps = np.zeros(values.shape, dtype=bool)
    with np.errstate(all="ignore"):
        for fill in fills:
            # In the variable's own precision: 1e20 of 64 bits is written for the 1e20 of 32 bits next to it.
            same = fill.astype(values.dtype)
            if values.dtype.kind == "f" or same == fill:
                gaps |= values == same
        for bounds, beyond in ((low, np.less), (high, np.greater)):
            for bound in bounds:
                gaps |= beyond(values, bound.astype(values.dtype) if values.dtype.kind == "f" else bound)
        check_exact(values, f"{path}: {name}", gaps)
        for key, apply in (("scale_factor", np.multiply), ("add_offset", np.add)):
            given = _given(path, attributes, key, name)
            if len(given) > 1:
                raise DataError(f"{path}: {key} of {name} has {len(given)} values, expected one")
            if given:
                values = apply(values, given[0])
    if gaps.any():
        values = values.astype(np.float64) if values.dtype.kind != "f" else values.copy()
        values[gaps] = np.nan
    return values


def _given(path: Path, attributes: Mapping[str, Any], key: str, name: str) -> list[Any]:
    """The numbers of an attribute as NumPy scalars; none if it is not there."""
    if key not in attributes:
        return []
    given = np.asarray(attributes[key])
    if given.dtype.kind not in "iuf":
        raise DataError(f"{path}: {key} of {name} is {attributes[key]!r:.40}, expected a number")
    return list(given.reshape(-1))


def _text(value: Any) -> str:
    return (value.decode("latin-1") if isinstance(value, bytes) else str(value)).lower()
