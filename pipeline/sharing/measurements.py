"""Files of measured trajectories: CSV, NPZ, HDF5 and netCDF, read into one form."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from scipy.io import netcdf_file

from ...data.errors import DataError

TIME_NAMES, STATE_NAMES, TRAJECTORY_NAMES = ("time", "t"), ("state", "states"), ("trajectory",)
# Columns of a table that are neither state nor parameter unless they are asked for.
BOOKKEEPING = (*TRAJECTORY_NAMES, "status", "source", "source_row")
# A compressed archive may unpack to so many times its size, and so many bytes more.
MAX_RATIO, FREE_BYTES = 16, 256 << 20
SAFE_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)


@dataclass(frozen=True)
class Columns:
    """Which variables of a file are what; None takes what is named as usual.

    components, parameters  new name -> name in the file
    step                    sampling interval, of a file without times
    """

    time: str | None = None
    trajectory: str | None = None
    state: str | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    step: float | None = None


@dataclass(frozen=True)
class Trajectory:
    """One measured trajectory: its number in the file, time (T,), states (T, D) float64, parameters."""

    number: int
    time: np.ndarray
    states: np.ndarray
    parameters: dict[str, float]


@dataclass(frozen=True)
class Measurements:
    """What one file holds; `dtype` is that of its numbers, float32 or float64."""

    components: tuple[str, ...]
    trajectories: list[Trajectory]
    dtype: str


def read_measurements(path: Path, columns: Columns) -> Measurements:
    """Read a file by its kind. Raises DataError that names file, variable and line where something is wrong."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(8)
    try:
        if head.startswith(b"PK"):
            with _npz(path) as arrays:
                return _from_arrays(path, arrays, columns)
        if head == b"\x89HDF\r\n\x1a\n":
            with h5py.File(path, "r", locking=False) as file:
                return _from_arrays(path, _hdf5(path, file), columns)
        if head.startswith(b"CDF"):
            return _from_arrays(path, _netcdf(path), columns)
        if b"\0" in head:
            raise DataError(f"{path}: neither CSV, NPZ, HDF5 nor netCDF")
        return _from_table(path, columns)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, zipfile.BadZipFile, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None


Arrays = Mapping[str, Callable[[], np.ndarray]]
"""Name -> a function that reads the array."""


@contextmanager
def _npz(path: Path) -> Iterator[Arrays]:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MAX_RATIO * path.stat().st_size + FREE_BYTES:
        raise DataError(f"{path}: unpacks to {unpacked:,} bytes, too many for a file of its size")
    with np.load(path, allow_pickle=False) as arrays:
        yield {name: lambda name=name: arrays[name] for name in arrays.files}


def _netcdf(path: Path) -> Arrays:
    with netcdf_file(path, "r", mmap=False) as file:
        read = {name: variable[...].copy() for name, variable in file.variables.items()}
    return {name: lambda name=name: read[name] for name in read}


def _hdf5(path: Path, file: h5py.File) -> Arrays:
    """The variables of a file and its groups that lie in it: no links, nothing virtual, no foreign filters."""
    arrays: dict[str, Callable[[], np.ndarray]] = {}

    def visit(group: h5py.Group, prefix: str) -> None:
        for name in map(str, group):
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            if isinstance(item, h5py.Dataset):
                arrays[prefix + name] = lambda item=item, name=prefix + name: _read(path, name, item)
            elif isinstance(item, h5py.Group) and prefix.count("/") < 8:
                visit(item, f"{prefix}{name}/")

    visit(file, "")
    return arrays


def _read(path: Path, name: str, item: h5py.Dataset) -> np.ndarray:
    properties = item.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    if item.is_virtual or item.external or not set(filters) <= set(SAFE_FILTERS):
        raise DataError(f"{path}: {name} lies in other files or needs filters that are not trusted")
    if item.nbytes > MAX_RATIO * item.id.get_storage_size() + FREE_BYTES:
        raise DataError(f"{path}: {name} unpacks to {item.nbytes:,} bytes, too many for what is stored")
    if h5py.check_string_dtype(item.dtype):
        return np.asarray(item.asstr()[()])
    return np.asarray(item[()])


def _from_arrays(path: Path, arrays: Arrays, columns: Columns) -> Measurements:
    names, states = _states(path, arrays, columns)
    count, samples = states.shape[:2]
    time_name = columns.time or next((name for name in TIME_NAMES if name in arrays), None)
    if time_name is not None:
        time = _numbers(path, arrays, time_name)
        if time.shape not in ((samples,), (count, samples)):
            raise DataError(
                f"{path}: {time_name} has shape {time.shape}, expected ({samples},), a time for each sample of "
                f"states {states.shape}"
            )
    else:
        time = _regular(path, samples, columns.step)
    parameters = {}
    for new, old in columns.parameters.items():
        values = _numbers(path, arrays, old)
        if values.shape not in ((), (1,), (count,)):
            raise DataError(
                f"{path}: {old} has shape {values.shape}, expected one number a trajectory ({count},)"
            )
        parameters[new] = np.broadcast_to(values, (count,))
    trajectories = [
        Trajectory(
            number,
            time if time.ndim == 1 else time[number],
            states[number],
            {name: float(values[number]) for name, values in parameters.items()},
        )
        for number in range(count)
    ]
    for trajectory in trajectories if time.ndim == 2 else trajectories[:1]:
        _check_time(path, trajectory)
    return Measurements(names, trajectories, "float32" if states.dtype == np.float32 else "float64")


def _states(path: Path, arrays: Arrays, columns: Columns) -> tuple[tuple[str, ...], np.ndarray]:
    """Names (D) and values (N, T, D): of one array, or of one for each component."""
    name = columns.state or next((name for name in STATE_NAMES if name in arrays), None)
    if name is None:
        if not columns.components:
            raise DataError(
                f"{path}: which variables are the state? It has {', '.join(arrays)}; say --state NAME or "
                "--components NAME,NAME"
            )
        parts = [_numbers(path, arrays, old) for old in columns.components.values()]
        if len({part.shape for part in parts}) > 1 or not 1 <= parts[0].ndim <= 2:
            shapes = ", ".join(str(part.shape) for part in parts)
            raise DataError(f"{path}: components of shapes {shapes}, expected (trajectory, time) for each")
        joined = np.stack(parts, axis=-1)
        return tuple(columns.components), joined if joined.ndim == 3 else joined[None]
    values = _numbers(path, arrays, name)
    if not 1 <= values.ndim <= 3:
        raise DataError(f"{path}: {name} has shape {values.shape}, expected (trajectory, time, component)")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim == 2:
        values = values[None]
    known = [f"x{number + 1}" for number in range(values.shape[2])]
    if "component" in arrays and arrays["component"]().shape == (len(known),):
        known = [str(label) for label in arrays["component"]()]
    if not columns.components:
        return tuple(known), values
    renamed = dict(zip(known, range(len(known)), strict=True))
    missing = [old for old in columns.components.values() if old not in renamed]
    if missing:
        raise DataError(f"{path}: {name} has no component {', '.join(missing)}; it has {', '.join(known)}")
    return tuple(columns.components), values[:, :, [renamed[old] for old in columns.components.values()]]


def _numbers(path: Path, arrays: Arrays, name: str) -> np.ndarray:
    if name not in arrays:
        raise DataError(f"{path}: no variable {name!r}; it has {', '.join(arrays)}")
    values = arrays[name]()
    if values.dtype.kind not in "iuf":
        raise DataError(f"{path}: {name} has dtype {values.dtype}, expected numbers")
    return values if values.dtype == np.float32 else values.astype(np.float64)


def _from_table(path: Path, columns: Columns) -> Measurements:
    """A CSV file with a header: a line a sample, trajectories told apart by a column, or one alone."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        delimiter = max(",;\t", key=header.count)
        names = [name.strip() for name in next(csv.reader(io.StringIO(header), delimiter=delimiter), [])]
        if len(set(names)) < len(names) or not names or any(_is_number(name) for name in names):
            raise DataError(
                f"{path}: line 1: expected a header with a name for each column, got {header[:80]!r}"
            )
        group = _one_of(path, names, columns.trajectory, TRAJECTORY_NAMES)
        time = _one_of(path, names, columns.time, TIME_NAMES)
        own = {time, group, *BOOKKEEPING, *columns.parameters.values()}
        components = dict(columns.components) or {name: name for name in names if name not in own}
        wanted = [*components.values(), *columns.parameters.values(), *([time] if time else [])]
        for name in wanted:
            _one_of(path, names, name, ())
        places = [names.index(name) for name in wanted]
        rows: dict[str, list[list[float]]] = {}
        for line, cells in enumerate(csv.reader(file, delimiter=delimiter), start=2):
            if not cells:
                continue
            if len(cells) != len(names):
                raise DataError(f"{path}: line {line}: {len(cells)} cells, expected {len(names)}")
            numbers = [_number(path, line, names[place], cells[place]) for place in places]
            rows.setdefault(cells[names.index(group)] if group else "", []).append(numbers)
    if not rows:
        raise DataError(f"{path}: no line below the header")
    trajectories = []
    for number, lines in enumerate(rows.values()):
        values = np.array(lines)
        states = values[:, : len(components)]
        constants = values[:, len(components) : len(components) + len(columns.parameters)]
        if not (constants == constants[0]).all():
            raise DataError(
                f"{path}: a parameter changes within trajectory {number}; expected one value a trajectory"
            )
        times = values[:, -1] if time else _regular(path, len(values), columns.step)
        parameters = dict(zip(columns.parameters, constants[0].tolist(), strict=True))
        trajectories.append(Trajectory(number, times, states, parameters))
        _check_time(path, trajectories[-1])
    return Measurements(tuple(components), trajectories, "float64")


def _one_of(path: Path, names: list[str], asked: str | None, usual: tuple[str, ...]) -> str | None:
    if asked is not None and asked not in names:
        raise DataError(f"{path}: no column {asked!r}; it has {', '.join(names)}")
    return asked or next((name for name in usual if name in names), None)


def _number(path: Path, line: int, name: str, cell: str) -> float:
    """A cell's number; an empty one, or NA, is NaN."""
    text = cell.strip()
    if text in ("", "NA"):
        return np.nan
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{path}: line {line}: {name} is {cell!r:.40}, expected a number") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _regular(path: Path, samples: int, step: float | None) -> np.ndarray:
    if step is None:
        raise DataError(f"{path}: has no times; say which variable with --time, or the interval with --step")
    return step * np.arange(samples)


def _check_time(path: Path, trajectory: Trajectory) -> None:
    if not (np.isfinite(trajectory.time).all() and (np.diff(trajectory.time) > 0).all()):
        raise DataError(f"{path}: the times of trajectory {trajectory.number} do not increase")
