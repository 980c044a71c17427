"""One shard: some rows of one split in one HDF5 file that stands on its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import h5py
import numpy as np
from pydantic import Field

from ..base.errors import FormatError
from ..base.files import atomic_path
from ..base.hashing import content_hash, file_hash
from ..base.representation import few, told
from ..base.section import Record
from ..remote.mirrors import bring
from .hdf5_writing import new_hdf5
from .layout import fill_rows, make_variables, write_attributes
from .limits import MAX_COUNT, STATE_VARIABLES, attribute
from .schema import ATTRIBUTES, SHARD_NAME, SYSTEM_STATE, Status
from .statistics import Moments
from .structure import names_of, open_shard, optional_names, parameter_names, values, variable

# Payloads start on a page of their own, so that a memory map of them is aligned.
ALIGNMENT = 4096
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]


@dataclass(frozen=True)
class Shard:
    """The contents of a shard in memory: N rows at T times.

    Attributes:
        state: The D observed components, (N, T, D) float32 or float64. Rows whose status is not 0 are NaN.
        time: (T,) float64, in the system's unit of time.
        components: D names.
        trajectory: Numbers of the rows within their split, (N,) int64.
        initial_state: All S states of the system at its initial time, exact, (N, S) float64. S is D where all are
            observed.
        parameters: For each name the values, (N,) float64, in the units that `units` has.
        status: (N,) int8, see `Status`.
        attributes: What `ATTRIBUTES` lists. Those that the format fixes are filled in on writing.
        units: The unit of the time and of each parameter.
        optional: By name what the shard has of the numeric `OPTIONAL_VARIABLES`, rows first.
        system_states: Names of the S states where fewer are observed, else empty.
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
    optional: Mapping[str, np.ndarray] = field(default_factory=dict)
    system_states: tuple[str, ...] = ()

    def __repr__(self) -> str:
        what = ", ".join(str(self.attributes.get(name)) for name in ("system_name", "split"))
        size = " x ".join(map(str, np.shape(self.state)))
        beside = f"; also {few(list(self.optional))}" if self.optional else ""
        return told(
            type(self),
            f"{what} from row {self.attributes.get('first_row')}, {size} (rows, points, components) of "
            f"{np.asarray(self.state).dtype}; components {few(self.components)}{beside}",
        )

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
            **self.optional,
            **({SYSTEM_STATE: self.system_states} if self.system_states else {}),
        }

    @property
    def over_time(self) -> dict[str, np.ndarray]:
        """The variables (N, T, D) by name: the states, and what is kept beside them."""
        kept = {"state": self.state, **self.optional}
        return {name: kept[name] for name in STATE_VARIABLES if name in kept}

    @property
    def sound(self) -> np.ndarray:
        """The states of the rows whose status is 0, (n, T, D)."""
        ok = self.status == Status.OK
        return self.state if ok.all() else self.state[ok]


SHA256 = r"^[0-9a-f]{64}$"


class ShardRecord(Record):
    """What the manifest keeps of a shard."""

    file: str = Field(pattern=SHARD_NAME)
    first_row: Count
    rows: Count
    failed: Count
    bytes: Count
    sha256: str = Field(pattern=SHA256)
    content_hash: str = Field(pattern=SHA256)
    statistics: Moments


def write_shard(path: Path, shard: Shard, compression: str | None = None) -> ShardRecord:
    """Write a shard, read it back, check it, and only then give it its name.

    Args:
        path: Where it is to lie.
        shard: Its contents.
        compression: None lays the states out in one piece, so that they can be memory-mapped; "gzip" packs them.

    Returns:
        Its record, as a manifest lists it.

    Raises:
        FormatError: What was read back is not what was written.
        OSError: The disk refuses.
    """
    written = content_hash(shard.variables)
    with atomic_path(path) as temporary:
        with new_hdf5(temporary, alignment_threshold=ALIGNMENT, alignment_interval=ALIGNMENT) as file:
            variables = shard.variables
            made = make_variables(
                file, variables, shard.parameters, shard.units, len(shard.status), compression
            )
            fill_rows(made, variables)
            write_attributes(file, {**shard.attributes, "content_hash": written})
        if not _same_content(read_shard(temporary), shard):
            raise FormatError("what was read back is not what was written; is the disk sound?", path)
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


def read_shard(path: str | Path) -> Shard:
    """Read a whole shard into memory; one that lies elsewhere comes into the cache.

    Raises:
        FormatError: The file is no shard.
    """
    with open_shard(bring(Path(path))) as file:
        names, optional = parameter_names(file), optional_names(file)
        return Shard(
            state=values(file, "state"),
            time=values(file, "time"),
            components=names_of(file, "component"),
            trajectory=values(file, "trajectory"),
            initial_state=values(file, "initial_state"),
            parameters={name: values(file, name) for name in names},
            status=values(file, "status"),
            attributes=read_attributes(file),
            units={name: str(attribute(variable(file, name), "units") or "1") for name in ["time", *names]},
            optional={name: values(file, name) for name in optional if name != SYSTEM_STATE},
            system_states=names_of(file, SYSTEM_STATE) if SYSTEM_STATE in optional else (),
        )


def read_attributes(file: h5py.File) -> dict[str, str | int]:
    """The root attributes that the format knows."""
    return {known.name: known.kind(attribute(file, known.name)) for known in ATTRIBUTES.values()}


def _same_content(one: Shard, other: Shard) -> bool:
    """Are all numbers the same, bit for bit?"""
    left, right = one.variables, other.variables
    return left.keys() == right.keys() and all(_same_bits(left[name], right[name]) for name in left)


def _same_bits(one: np.ndarray | tuple[str, ...], other: np.ndarray | tuple[str, ...]) -> bool:
    if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
        return one == other
    left, right = (np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (one, other))
    return one.shape == other.shape and one.dtype == other.dtype and np.array_equal(left, right)
