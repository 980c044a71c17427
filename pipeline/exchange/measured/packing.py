"""What the attributes of a netCDF variable say of its numbers: how they are packed, and which are missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....data.base.errors import DataError
from .exact import WHOLE, check_exact, not_held

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
    numbers, but for a valid range of whole numbers that has the type of the real ones that they are unpacked to:
    it speaks of these (netCDF User's Guide, attribute conventions). Whole numbers times and plus whole numbers are
    what they are, however large. Raises DataError if one of these attributes is no number, or float64 does not
    hold a value.
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
        return [each.astype(signed).view(values.dtype) if each.dtype.kind in "iu" else each for each in given]

    fills = [*stored("_FillValue"), *stored("missing_value")]
    if defaults and "_FillValue" not in attributes and signed.str[1:] in DEFAULT_FILLS:
        fills.append(np.array(DEFAULT_FILLS[signed.str[1:]])[()])
    both = stored("valid_range")
    low, high = (both[:1], both[1:]) if len(both) == 2 else (stored("valid_min"), stored("valid_max"))
    packing = [_one(path, attributes, key, name) for key in ("scale_factor", "add_offset")]
    later = _are_of_meant(values.dtype, packing, [*low, *high])
    gaps = np.zeros(values.shape, dtype=bool)
    with np.errstate(all="ignore"):
        for fill in fills:
            # In the variable's own precision: 1e20 of 64 bits is written for the 1e20 of 32 bits next to it.
            same = fill.astype(values.dtype)
            if values.dtype.kind == "f" or same == fill:
                gaps |= values == same
        if not later:
            gaps |= _outside(values, low, high)
        check_exact(values, f"{path}: {name}", gaps)
        values = _applied(f"{path}: {name}", values, packing, gaps)
        if later:
            # A bound and the number that is packed for it are half a step apart at the most.
            half = 0.5 if packing[0] is None else 0.5 * abs(float(packing[0]))
            gaps |= _outside(
                values, [float(each) - half for each in low], [float(each) + half for each in high]
            )
    if gaps.any():
        values = values.astype(np.float64) if values.dtype.kind != "f" else values.copy()
        values[gaps] = np.nan
    return values


def _are_of_meant(stored: np.dtype[Any], packing: list[Any], bounds: list[Any]) -> bool:
    """Do bounds speak of real numbers, of whose type they are, and not of the whole ones that these are packed to?"""
    kinds = [each.dtype for each in packing if each is not None]
    meant = np.result_type(*kinds) if kinds else stored
    return stored.kind != "f" and meant.kind == "f" and any(bound.dtype == meant for bound in bounds)


def _outside(values: np.ndarray, low: list[Any], high: list[Any]) -> np.ndarray:
    """Which values lie beyond the bounds, in the precision of the values."""
    outside = np.zeros(values.shape, dtype=bool)
    for bounds, beyond in ((low, np.less), (high, np.greater)):
        for bound in bounds:
            outside |= beyond(values, values.dtype.type(bound) if values.dtype.kind == "f" else bound)
    return outside


def _applied(name: str, values: np.ndarray, packing: list[Any], gaps: np.ndarray) -> np.ndarray:
    """values * factor + shift, of which either may be None. Raises DataError if float64 does not hold one."""
    given = [each for each in packing if each is not None]
    if not given:
        return values
    if values.dtype.kind == "f" or any(each.dtype.kind == "f" for each in given):
        for each, apply in zip(packing, (np.multiply, np.add), strict=True):
            if each is not None:
                # Types of whole numbers would overflow.
                whole = values.dtype.kind != "f" and each.dtype.kind != "f"
                values = apply(values.astype(np.float64) if whole else values, each)
        return values
    factor, shift = (
        start if each is None else int(each) for each, start in zip(packing, (1, 0), strict=True)
    )
    found = values.astype(np.float64) * float(factor) + float(shift)
    large = ~gaps & (np.abs(found) >= WHOLE)
    if large.any():
        exact = [int(value) * factor + shift for value in values[large].tolist()]
        lost = next((each for each in exact if int(float(each)) != each), None)
        if lost is not None:
            raise not_held(name, lost)
        found[large] = exact
    return found


def _one(path: Path, attributes: Mapping[str, Any], key: str, name: str) -> Any:
    """The one number of an attribute as a NumPy scalar; None if it is not there."""
    given = _given(path, attributes, key, name)
    if len(given) > 1:
        raise DataError(f"{path}: {key} of {name} has {len(given)} values, expected one")
    return given[0] if given else None


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
