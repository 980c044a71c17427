"""One shard: some rows of one split in one HDF5 file that stands on its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .errors import FormatError
from .files import atomic_path
from .format import (
    ATTRIBUTES,
    CONVENTIONS,
    FORMAT,
    OPTIONAL_VARIABLES,
    PARAMETER_ROLE,
    SHARD_NAME,
    STATUS_MEANINGS,
    VARIABLES,
    VERSION,
    Status,
    parameter_variable,
)
from .hashing import content_hash, file_hash
from .statistics import Moments
from .structure import as_text, component_names, open_shard, optional_names, parameter_names, values, variable

# Payloads start on a page of their own, so that a memory map of them is aligned.
ALIGNMENT = 4096
# Compressed files are cut into chunks of whole trajectories of about this size.
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Shard:
    """The contents of a shard in memory.

    state          (N, T, D) float32 or float64, NaN in rows whose status is not 0
    time           (T,) float64, in the system's unit of time
    components     D names
    trajectory     (N,) int64, global row numbers within the split
    initial_state  (N, D) float64, exact
    parameters     name -> (N,) float64
    status         (N,) int8, see `Status`
    attributes     what `ATTRIBUTES` lists; those fixed by the format are filled in on writing
    units          unit of the time and of each parameter
    origin         the optional variables `source` and `source_row` (N,), of rows that came from elsewhere
    """

    state: np.ndarray
    time: np.ndarray
    components: tuple[str, ...]
    trajectory: np.ndarray
    initial_state: np.ndarray
    parameters: Mapping[str, np.ndarray]
    status: np.ndarray
    attributes: Mapping[str, str | int]
    units: Mapping[str, str]
    origin: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, np.ndarray | tuple[str, ...]]:
        """All variables of the file by name."""
        return {
            "trajectory": self.trajectory,
            "time": self.time,
            "component": self.components,
            "state": self.state,
            "initial_state": self.initial_state,
            "status": self.status,
            **self.parameters,
            **self.origin,
        }

    @property
    def sound(self) -> np.ndarray:
        """The states of the rows whose status is 0, (n, T, D)."""
        ok = self.status == Status.OK
        return self.state if ok.all() else self.state[ok]


class ShardRecord(BaseModel):
    """What the manifest keeps of a shard."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(pattern=SHARD_NAME)
    first_row: int
    rows: int
    failed: int
    bytes: int
    sha256: str
    content_hash: str
    statistics: Moments


def write_shard(path: Path, shard: Shard, compression: str | None = None) -> ShardRecord:
    """Write a shard, read it back, check it and only then give it its name.

    `compression` is None (contiguous, can be memory-mapped) or "gzip". Raises FormatError if what was read
    back is not what was written, OSError if the disk refuses.
    """
    written = content_hash(shard.variables)
    with atomic_path(path) as temporary:
        with h5py.File(
            temporary, "w", alignment_threshold=ALIGNMENT, alignment_interval=ALIGNMENT, locking=False
        ) as file:
            _write_variables(file, shard, compression)
            _write_attributes(file, {**shard.attributes, "content_hash": written})
        if not _same_content(read_shard(temporary), shard):
            raise FormatError(f"{path}: what was read back is not what was written; is the disk sound?")
        return record_of(temporary, shard, path.name, written)


def inspect_shard(path: Path) -> tuple[ShardRecord, Shard]:
    """Read a whole shard, and say what the manifest keeps of it; hashes are computed, not believed."""
    shard = read_shard(path)
    return record_of(path, shard, path.name, content_hash(shard.variables)), shard


def record_of(path: Path, shard: Shard, name: str, content: str) -> ShardRecord:
    """What the manifest keeps of a shard with this content hash that lies at `path`."""
    return ShardRecord(
        file=name,
        first_row=int(shard.attributes["first_row"]),
        rows=len(shard.status),
        failed=int(np.count_nonzero(shard.status != Status.OK)),
        bytes=path.stat().st_size,
        sha256=file_hash(path),
        content_hash=content,
        statistics=Moments.of(shard.sound),
    )


def read_shard(path: Path) -> Shard:
    """Read a whole shard into memory. Raises FormatError if it is none."""
    with open_shard(path) as file:
        names = parameter_names(file)
        return Shard(
            state=values(file, "state"),
            time=values(file, "time"),
            components=component_names(file),
            trajectory=values(file, "trajectory"),
            initial_state=values(file, "initial_state"),
            parameters={name: values(file, name) for name in names},
            status=values(file, "status"),
            attributes=read_attributes(file),
            units={
                name: as_text(variable(file, name).attrs.get("units")) or "1" for name in ["time", *names]
            },
            origin={name: values(file, name) for name in optional_names(file)},
        )


def read_attributes(file: h5py.File) -> dict[str, str | int]:
    """The root attributes that the format knows."""
    attributes: dict[str, str | int] = {}
    for attribute in ATTRIBUTES.values():
        value: Any = file.attrs[attribute.name]
        attributes[attribute.name] = int(value) if attribute.kind is int else as_text(value) or ""
    return attributes


def _same_content(one: Shard, other: Shard) -> bool:
    """Are all numbers the same, bit for bit?"""
    left, right = one.variables, other.variables
    return left.keys() == right.keys() and all(_same_bits(left[name], right[name]) for name in left)


def _same_bits(one: np.ndarray | tuple[str, ...], other: np.ndarray | tuple[str, ...]) -> bool:
    if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
        return one == other
    left, right = (np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (one, other))
    return one.shape == other.shape and one.dtype == other.dtype and np.array_equal(left, right)


def _write_variables(file: h5py.File, shard: Shard, compression: str | None) -> None:
    parameters = {name: parameter_variable(name) for name in shard.parameters}
    schema = {**VARIABLES, **OPTIONAL_VARIABLES, **parameters}
    written: dict[str, h5py.Dataset] = {}
    for name, data in shard.variables.items():
        if name == "component":
            dataset = file.create_dataset(name, data=list(data), dtype=h5py.string_dtype())
        elif compression and name == "state":
            chunks = _chunk_shape(shard.state.shape, shard.state.dtype.itemsize)
            dataset = file.create_dataset(
                name, data=data, chunks=chunks, compression=compression, shuffle=True
            )
        else:
            dataset = file.create_dataset(name, data=data)
        dataset.attrs["long_name"] = schema[name].meaning
        if name in shard.units:
            dataset.attrs["units"] = shard.units[name]
        written[name] = dataset
    for name in shard.parameters:
        written[name].attrs["role"] = PARAMETER_ROLE
    written["status"].attrs["flag_values"] = np.array([status.value for status in Status], dtype=np.int8)
    written["status"].attrs["flag_meanings"] = STATUS_MEANINGS
    scales = [name for name in written if schema[name].is_scale]
    for name in scales:
        written[name].make_scale(name)
    for name in [name for name in written if name not in scales]:
        for axis, dimension in enumerate(schema[name].dimensions):
            written[name].dims[axis].attach_scale(written[dimension])


def _write_attributes(file: h5py.File, attributes: Mapping[str, str | int]) -> None:
    fixed = {"format": FORMAT, "format_version": VERSION, "Conventions": CONVENTIONS}
    for name in ATTRIBUTES:
        value = fixed[name] if name in fixed else attributes[name]
        file.attrs[name] = np.int64(value) if isinstance(value, int) else value


def _chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    rows, times, components = shape
    times = min(times, max(1, CHUNK_BYTES // (components * itemsize)))
    return (max(1, min(rows, CHUNK_BYTES // (times * components * itemsize))), times, components)
