"""The variables of an HDF5 file: of netCDF-4, MATLAB 7.3, Julia, Octave, or of nobody in particular."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ....data.base.errors import DataError
from ....data.shard.limits import FREE_UNPACKING, MAX_LINKS, MAX_UNPACKING
from .packing import unpacked
from .variables import SPOKEN, Variable

LZF = 32000
SAFE_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, LZF)
# Numbers of filters that are registered with the HDF Group, and their names.
FILTERS = {
    4: "szip", 5: "nbit", 6: "scaleoffset", 305: "LZO", 307: "bzip2", 32001: "blosc", 32004: "lz4",
    32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32017: "sz", 32024: "sz3", 32026: "blosc2",
}  # fmt: skip
MAX_DEPTH = 8
# What the netCDF library calls a dimension that has no variable, and a variable that only has a dimension's name.
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"
NO_COORDINATE = "_nc4_non_coord_"
COORDINATES, DIMENSION_ID = "_Netcdf4Coordinates", "_Netcdf4Dimid"
# What Julia writes before its files, and MATLAB beside each array. Both store the last dimension first.
JULIA = (b"HDF5-based Julia Data Format", b"Julia data file (HDF5)")
# Classes of MATLAB's that are arrays of numbers or texts; truth values, too, to be refused as such.
MATLAB_READ = (
    "double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "logical", "char",
    "cell",
)  # fmt: skip
MATLAB_CLASS, OCTAVE, RHDF5 = "MATLAB_class", "OCTAVE_NEW_FORMAT", "rhdf5-NA.OK"
RHDF5_DOUBT = "was written by R (rhdf5), which turns the order of dimensions round, or not (native = TRUE)"
# Groups of their own, in which no user keeps a variable.
OWN_GROUPS = ("#refs#", "#subsystem#", "_types", "_refs", "_require", "_creator")


def hdf5_variables(path: Path, file: h5py.File) -> dict[str, Variable]:
    """The variables of a file and its groups that lie in it: no links, nothing virtual, no foreign filters.

    Dimensions that have no variable are none. Raises DataError if there are too many.
    """
    with path.open("rb") as opened:
        reversed_all = opened.read(64).startswith(JULIA)
    found: dict[str, Variable] = {}
    doubtful = _unanswered(file)
    for name, item in _items(file, "", set()):
        if _is_bare_dimension(item):
            continue
        if len(found) == MAX_LINKS:
            raise DataError(f"{path}: has more than {MAX_LINKS} variables")
        head, slash, tail = name.rpartition("/")
        shown = head + slash + tail.removeprefix(NO_COORDINATE)
        if tail == "value" and OCTAVE in item.parent.attrs:
            shown = head
        turned = reversed_all or MATLAB_CLASS in item.attrs or OCTAVE in item.parent.attrs
        found[shown] = _variable(path, shown, file, item, turned, doubtful.get(item))
    return found


def _items(group: h5py.Group, prefix: str, seen: set[h5py.Group]) -> Iterator[tuple[str, h5py.Dataset]]:
    # A group may be its own member.
    if group in seen or prefix.count("/") > MAX_DEPTH:
        return
    seen.add(group)
    for name in map(str, group):
        if name in OWN_GROUPS or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Dataset):
            yield prefix + name, item
        elif isinstance(item, h5py.Group) and "MATLAB_sparse" not in item.attrs:
            yield from _items(item, f"{prefix}{name}/", seen)


def _is_bare_dimension(item: h5py.Dataset) -> bool:
    """Is it a dimension scale without values, as the netCDF library writes it for a dimension without a variable?"""
    return _is_scale(item) and _text(item.attrs.get("NAME")).startswith(NO_VARIABLE)


def _is_scale(item: h5py.Dataset) -> bool:
    # By the attributes alone: HDF5's own functions for dimension scales crash on damaged ones.
    return _text(item.attrs.get("CLASS")) == "DIMENSION_SCALE"


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _variable(
    path: Path, name: str, file: h5py.File, item: h5py.Dataset, turned: bool, doubt: str | None
) -> Variable:
    attributes = {key: item.attrs[key] for key in SPOKEN if key in item.attrs}
    dimensions = _dimensions(file, item)
    if turned:
        dimensions = dimensions[::-1]
    doubt = RHDF5_DOUBT if RHDF5 in item.attrs else doubt
    return Variable(lambda: _read(path, name, file, item, attributes, turned), dimensions, attributes, doubt)


def _dimensions(file: h5py.File, item: h5py.Dataset) -> tuple[str | None, ...]:
    """Names of the dimension scales, or labels; empty where there is none."""
    if _is_scale(item):
        if item.ndim == 1:
            return (_name(item),)
        if COORDINATES in item.attrs:
            return _by_number(file, _whole(item.attrs[COORDINATES]), item.ndim)
    scales = np.asarray(_references(item), dtype=object).reshape(-1)
    labels = np.asarray(item.attrs.get("DIMENSION_LABELS", ()), dtype=object).reshape(-1)
    names: list[str | None] = [None] * item.ndim
    for place in range(item.ndim):
        attached = scales[place] if len(scales) == item.ndim else ()
        if isinstance(attached, np.ndarray) and attached.size:
            names[place] = _name(file[attached.reshape(-1)[0]])
        elif len(labels) == item.ndim:
            names[place] = _text(labels[place]) or None
    return tuple(names) if any(names) else ()


def _name(scale: h5py.HLObject) -> str:
    return str(scale.name).removeprefix("/")


def _whole(value: Any) -> list[int]:
    return [int(number) for number in np.asarray(value).reshape(-1)]


def _references(item: h5py.Dataset) -> Any:
    """The list of dimension scales; a damaged type of it, which could crash the library, is no list."""
    if "DIMENSION_LIST" not in item.attrs:
        return ()
    stored = item.attrs.get_id("DIMENSION_LIST")
    entry = h5py.check_vlen_dtype(stored.dtype)
    if stored.shape != (item.ndim,) or entry is None or h5py.check_ref_dtype(entry) is not h5py.Reference:
        raise DataError(f"{item.file.filename}: the list of dimensions of {item.name} is damaged")
    return item.attrs["DIMENSION_LIST"]


def _unanswered(file: h5py.File) -> dict[h5py.Dataset, str]:
    """What stands against variables that do not say of a dimension what its scale says of them: one was damaged."""
    doubtful = {}
    for name, scale in _items(file, "", set()):
        if not _is_scale(scale) or "REFERENCE_LIST" not in scale.attrs:
            continue
        kind = scale.attrs.get_id("REFERENCE_LIST").dtype
        if kind.names is None or len(kind.names) != 2 or h5py.check_ref_dtype(kind[0]) is not h5py.Reference:
            raise DataError(f"{file.filename}: the list of what {name} is a dimension of is damaged")
        for reference, place in np.asarray(scale.attrs["REFERENCE_LIST"]).reshape(-1).tolist():
            # Of a variable that was deleted there is nothing.
            item = _referred(file, reference)
            if not isinstance(item, h5py.Dataset) or item.ndim < 2:
                continue
            scales = np.asarray(_references(item), dtype=object).reshape(-1)
            attached = scales[place] if len(scales) == item.ndim and 0 <= place < item.ndim else ()
            if not any(_referred(file, each) == scale for each in np.asarray(attached).reshape(-1)):
                doubtful[item] = f"does not say that {name} is a dimension of it, as {name} does"
    return doubtful


def _referred(file: h5py.File, reference: Any) -> h5py.HLObject | None:
    try:
        return file[reference] if reference else None
    except (KeyError, OSError, RuntimeError, ValueError):
        return None


def _by_number(file: h5py.File, numbers: list[int], count: int) -> tuple[str | None, ...]:
    """Names of dimensions by the numbers that the netCDF library gives them."""
    known = {
        _whole(item.attrs[DIMENSION_ID])[0]: name
        for name, item in _items(file, "", set())
        if _is_scale(item) and DIMENSION_ID in item.attrs
    }
    return tuple(known.get(number) for number in numbers) if len(numbers) == count else ()


def _read(
    path: Path, name: str, file: h5py.File, item: h5py.Dataset, attributes: dict[str, Any], turned: bool
) -> np.ndarray:
    _check_storage(path, name, item)
    netcdf = "_NCProperties" in file.attrs
    if item.size and not netcdf and "_FillValue" not in attributes:
        fill = _own_fill(item)
        _check_written(path, name, item, filled=fill is not None)
        if fill is not None:
            attributes = {**attributes, "_FillValue": fill}
    if h5py.check_string_dtype(item.dtype):
        return np.asarray(item.asstr()[()])
    kind = item.attrs.get(MATLAB_CLASS)
    if kind is not None and _text(kind) not in MATLAB_READ:
        raise DataError(
            f"{path}: {name} is a {_text(kind):.40} of MATLAB, which is not read; save it as an array"
        )
    if h5py.check_enum_dtype(item.dtype) is not None and item.dtype.kind != "b":
        raise DataError(f"{path}: {name} holds words for categories (an enumeration); expected numbers")
    if "MATLAB_empty" in item.attrs:
        return np.empty(0)
    values = np.asarray(item[()])
    if turned:
        values = values.T
        if kind is not None and values.ndim == 2 and 1 in values.shape:
            # MATLAB knows no arrays of one dimension.
            values = values.reshape(-1)
    if kind is not None and _text(kind) in ("char", "cell"):
        return _texts(file, values, _text(kind))
    if kind is not None and _text(kind) == "logical":
        return values.astype(bool)
    return unpacked(path, name, values, attributes, defaults=netcdf)


def _check_storage(path: Path, name: str, item: h5py.Dataset) -> None:
    if item.is_virtual or item.external:
        raise DataError(f"{path}: {name} lies in other files; copy them into one, as h5repack does")
    properties = item.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    foreign = [FILTERS.get(number, str(number)) for number in filters if number not in SAFE_FILTERS]
    if foreign:
        raise DataError(
            f"{path}: {name} needs filters that are not trusted: {', '.join(foreign)}; rewrite it without, as in "
            "h5repack -f NONE FILE data.h5"
        )
    if item.nbytes > MAX_UNPACKING * item.id.get_storage_size() + FREE_UNPACKING:
        raise DataError(f"{path}: {name} unpacks to {item.nbytes:,} bytes, too many for what is stored")


def _own_fill(item: h5py.Dataset) -> Any:
    """What HDF5 itself fills the array with where nothing was written, if whoever made it chose a number for that.

    A zero is what PyTables and others choose for every array, and no less a number for it.
    """
    chosen = item.id.get_create_plist().fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED
    return item.fillvalue if chosen and item.dtype.kind in "iuf" and item.fillvalue != 0 else None


def _check_written(path: Path, name: str, item: h5py.Dataset, *, filled: bool) -> None:
    """Raises DataError if something was never written: HDF5 reads zeros there, or what fills it.

    filled  the number of what fills it says that it is missing
    """
    if item.id.get_storage_size() == 0:
        raise DataError(f"{path}: {name} was never written; it would be read as {item.fillvalue} throughout")
    if not item.chunks or filled:
        return
    expected = int(
        np.prod([-(-size // step) for size, step in zip(item.shape, item.chunks or (), strict=True)])
    )
    written = item.id.get_num_chunks()
    if written < expected:
        raise DataError(
            f"{path}: {name} was written in part: {written} of {expected} chunks are there; the rest would be read "
            f"as {item.fillvalue}. Write what is missing as NaN, or name it in an attribute _FillValue"
        )


def _texts(file: h5py.File, values: np.ndarray, kind: str) -> np.ndarray:
    """Texts of MATLAB: one a row of characters, or one a cell."""
    if kind == "char":
        rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
        return np.array(["".join(map(chr, row)).strip() for row in rows.tolist()])
    texts = []
    for reference in values.reshape(-1)[:MAX_LINKS]:
        cell = file[reference] if isinstance(reference, h5py.Reference) and reference else None
        if not isinstance(cell, h5py.Dataset) or _text(cell.attrs.get(MATLAB_CLASS, "")) != "char":
            return np.empty(0)
        texts.append("".join(map(chr, np.asarray(cell[()]).T.reshape(-1).tolist())))
    return np.array(texts)
