"""Does an open HDF5 file have the structure of a shard? Used on writing, on opening and by `verify`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .errors import FormatError
from .format import (
    ATTRIBUTES,
    FORMAT,
    OPTIONAL_VARIABLES,
    PARAMETER_ROLE,
    VARIABLES,
    VERSION,
    Variable,
    parameter_variable,
)

# What h5py raises when the HDF5 library meets bytes that make no sense.
DAMAGE = (OSError, RuntimeError, KeyError, UnicodeError, OverflowError, SystemError)


@contextmanager
def open_shard(path: Path) -> Iterator[h5py.File]:
    """A file, open for reading, that has the structure of a shard.

    Raises FormatError with the first problem found, and for whatever cannot be read while it is open: the
    HDF5 library reports a damaged file in many ways.
    """
    try:
        file = h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected a trajstore HDF5 file") from None
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be read as HDF5 ({error}); the file is truncated, damaged or of another kind. "
            "Fetch it again, or generate it again with the same config."
        ) from None
    try:
        with file:
            problem = next(structure_problems(file), None)
            if problem is not None:
                raise FormatError(f"{path}: {problem}")
            yield file
    except DAMAGE as error:
        raise FormatError(
            f"{path}: is damaged: {error}. Fetch it again, or generate it again with the same config."
        ) from None


def structure_problems(file: h5py.File) -> Iterator[str]:
    """Yield a line for each way in which the file departs from the format."""
    if as_text(file.attrs.get("format")) != FORMAT:
        yield f'no trajstore file: attribute "format" is {file.attrs.get("format")!r}, expected "{FORMAT}"'
        return
    version = file.attrs.get("format_version")
    if version != VERSION:
        yield f"format version {version}, but this trajstore reads version {VERSION}; upgrade trajstore"
        return
    for attribute in ATTRIBUTES.values():
        value = file.attrs.get(attribute.name)
        kind = str if isinstance(value, str | bytes) else int if isinstance(value, int | np.integer) else None
        if kind is not attribute.kind:
            yield f"attribute {attribute.name!r} is {value!r}, expected {attribute.kind.__name__}"

    sizes: dict[str, int] = {}
    present = [OPTIONAL_VARIABLES[name] for name in optional_names(file)]
    parameters = [parameter_variable(name) for name in parameter_names(file)]
    schema = [*VARIABLES.values(), *present, *parameters]
    for variable in schema:
        yield from _variable_problems(file, variable, sizes)
    known = {variable.name for variable in schema}
    for name in file:
        if name not in known:
            yield f'unknown variable {name!r}; parameters carry the attribute role = "{PARAMETER_ROLE}"'


def parameter_names(file: h5py.File) -> list[str]:
    """Names of the variables that hold parameters, in alphabetical order."""
    return [
        str(name)
        for name, item in file.items()
        if name not in VARIABLES
        and name not in OPTIONAL_VARIABLES
        and isinstance(item, h5py.Dataset)
        and as_text(item.attrs.get("role")) == PARAMETER_ROLE
    ]


def optional_names(file: h5py.File) -> list[str]:
    """Names of the optional variables that the file has."""
    return [name for name in OPTIONAL_VARIABLES if name in file]


def variable(file: h5py.File, name: str) -> h5py.Dataset:
    """A variable of a file. Raises FormatError if the file has none of that name."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset):
        raise FormatError(f"{file.filename}: no variable {name!r}; it has {', '.join(file)}")
    return item


def values(file: h5py.File, name: str) -> np.ndarray:
    """All values of a numeric variable, in the machine's byte order."""
    read = np.asarray(variable(file, name)[()])
    return read.astype(read.dtype.newbyteorder("="), copy=False)


def component_names(file: h5py.File) -> tuple[str, ...]:
    """Names of the state's components."""
    return tuple(str(name) for name in variable(file, "component").asstr()[()])


def _variable_problems(file: h5py.File, variable: Variable, sizes: dict[str, int]) -> Iterator[str]:
    dataset = file.get(variable.name)
    if not isinstance(dataset, h5py.Dataset):
        yield f"variable {variable.name!r} is missing"
        return
    dtype = "string" if h5py.check_string_dtype(dataset.dtype) else dataset.dtype.name
    if dtype not in variable.dtypes:
        yield f"variable {variable.name!r} has dtype {dtype}, expected {' or '.join(variable.dtypes)}"
    if dataset.ndim != len(variable.dimensions):
        yield f"variable {variable.name!r} has shape {dataset.shape}, expected {variable.dimensions}"
        return
    for dimension, size in zip(variable.dimensions, dataset.shape, strict=True):
        if sizes.setdefault(dimension, size) != size:
            yield f"variable {variable.name!r}: {dimension} has {size} entries, elsewhere {sizes[dimension]}"


def json_attribute(attributes: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """An attribute that holds a JSON object. Raises FormatError if it holds none."""
    try:
        value = json.loads(str(attributes[name]))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise FormatError(f"{path}: attribute {name!r} is no JSON object")
    return value


def as_text(value: Any) -> str | None:
    """An attribute's value as str, or None if it is no text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else None
