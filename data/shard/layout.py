"""How a shard's variables lie in an HDF5 file: made with their scales and attributes, then filled with rows."""

from collections.abc import Collection, Mapping

import h5py
import numpy as np

from .schema import (
    ATTRIBUTES,
    CONVENTIONS,
    DIMENSIONS,
    FORMAT,
    PARAMETER_ROLE,
    STATUS_MEANINGS,
    VERSION,
    Status,
    variables_with,
)

Variables = Mapping[str, np.ndarray | tuple[str, ...]]

# Compressed files are cut into chunks of whole trajectories of about this size.
CHUNK_BYTES = 1 << 20


def make_variables(
    file: h5py.File,
    variables: Variables,
    parameters: Collection[str],
    units: Mapping[str, str],
    rows: int,
    compression: str | None = None,
) -> dict[str, h5py.Dataset]:
    """Make variables like these for so many rows; those that have no rows are filled."""
    made: dict[str, h5py.Dataset] = {}
    schema = variables_with(variables.keys(), parameters)
    for name, data in variables.items():
        if not isinstance(data, np.ndarray):
            dataset = file.create_dataset(name, data=list(data), dtype=h5py.string_dtype())
        elif schema[name].dimensions[0] != "trajectory":
            dataset = file.create_dataset(name, data=data)
        else:
            shape = (rows, *data.shape[1:])
            packed = {}
            if compression and schema[name].dimensions == DIMENSIONS:
                chunks = _chunk_shape(shape, data.dtype.itemsize)
                packed = {"chunks": chunks, "compression": compression, "shuffle": True}
            dataset = file.create_dataset(name, shape, data.dtype, **packed)
        dataset.attrs["long_name"] = schema[name].meaning
        if name in units:
            dataset.attrs["units"] = units[name]
        made[name] = dataset
    for name in parameters:
        made[name].attrs["role"] = PARAMETER_ROLE
    made["status"].attrs["flag_values"] = np.array([status.value for status in Status], dtype=np.int8)
    made["status"].attrs["flag_meanings"] = STATUS_MEANINGS
    scales = [name for name in variables if schema[name].is_scale]
    for name in scales:
        made[name].make_scale(name)
    for name in [name for name in variables if name not in scales]:
        for axis, dimension in enumerate(schema[name].dimensions):
            made[name].dims[axis].attach_scale(made[dimension])
    return made


def fill_rows(made: Mapping[str, h5py.Dataset], variables: Variables, first: int = 0) -> None:
    """Write rows into variables that `make_variables` made, from row `first` on."""
    rows = len(variables["status"])
    for name, data in variables.items():
        if isinstance(data, np.ndarray) and name != "time":
            made[name][first : first + rows] = data


def write_attributes(file: h5py.File, attributes: Mapping[str, str | int]) -> None:
    """Write all attributes of the format. Raises KeyError if one is not given."""
    fixed = {"format": FORMAT, "format_version": VERSION, "Conventions": CONVENTIONS}
    for name in ATTRIBUTES:
        value = fixed[name] if name in fixed else attributes[name]
        file.attrs[name] = np.int64(value) if isinstance(value, int) else value


def _chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    rows, times, components = shape
    times = min(times, max(1, CHUNK_BYTES // (components * itemsize)))
    return (max(1, min(rows, CHUNK_BYTES // (times * components * itemsize))), times, components)
