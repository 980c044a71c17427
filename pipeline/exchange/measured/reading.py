"""Opens a file of measured trajectories by its kind. It may be a stranger's."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import netcdf_file

from ....data.base.errors import DataError, FormatError, TrajstoreError
from ....data.shard.limits import FREE_UNPACKING, MAX_UNPACKING
from ....data.shard.text_heaps import check_heaps
from .arrays import from_arrays
from .hdf5_files import hdf5_variables
from .kinds import HEAD_BYTES, MATLAB_5, NPY, told, told_archive
from .matlab_files import matlab_variables
from .measurements import STATE_NAMES, Columns, Measurements
from .packing import unpacked
from .tables import read_table
from .variables import SPOKEN, Variable, Variables


def read_measurements(path: Path, columns: Columns) -> Measurements:
    """Read a file by its kind. Raises DataError that names file, variable and line where something is wrong."""
    check_regular(path)
    try:
        return _by_kind(path, columns)
    except TrajstoreError:
        raise
    # The readers of NumPy, SciPy and h5py raise any error at all on a damaged file, and MemoryError on a lying one.
    except Exception as error:
        raise DataError(f"{path}: cannot be read ({str(error) or type(error).__name__})") from None


def check_regular(path: Path) -> None:
    """Raises DataError if there is no file of that name, or what never ends."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name the files in it")
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if not path.is_file():
        raise DataError(f"{path}: is no regular file")


def _by_kind(path: Path, columns: Columns) -> Measurements:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(b"PK\x03\x04"):
        with _npz(path) as variables:
            return from_arrays(path, variables, columns)
    if h5py.is_hdf5(path):
        # Texts and names of dimensions lie in heaps, and a damaged one hangs the library for ever.
        try:
            check_heaps(path, path.stat().st_size, ())
        except FormatError:
            raise DataError(f"{path}: is damaged: the texts in it cannot be read") from None
        with h5py.File(path, "r", locking=False) as file:
            return from_arrays(path, hdf5_variables(path, file), columns)
    if head.startswith((b"CDF\x01", b"CDF\x02")):
        return from_arrays(path, _netcdf(path), columns)
    if head.startswith(NPY):
        return from_arrays(path, _npy(path, columns), columns)
    if head.startswith(MATLAB_5):
        return from_arrays(path, matlab_variables(path), columns)
    if (what := told(path, head)) is not None:
        raise DataError(f"{path}: {what}")
    return read_table(path, columns)


@contextmanager
def _npz(path: Path) -> Iterator[Variables]:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        what = told_archive(archive)
    if what is not None:
        raise DataError(f"{path}: {what}")
    if size > MAX_UNPACKING * path.stat().st_size + FREE_UNPACKING:
        raise DataError(f"{path}: unpacks to {size:,} bytes, too many for a file of its size")
    with np.load(path, allow_pickle=False) as arrays:
        units = _units(arrays)
        yield {
            name: Variable(
                lambda name=name: arrays[name], attributes={"units": units[name]} if name in units else {}
            )
            for name in arrays.files
            if not (units and name == "units")
        }


def _units(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What `export` says in an array of its own: a JSON text, of the units by variable. Of any other, nothing."""
    try:
        found = json.loads(str(arrays["units"]))
    # What the array of a stranger is called so for, and whether it can be read at all, is nobody's matter here.
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _npy(path: Path, columns: Columns) -> Variables:
    """One array, of all states: a file of more than it has cannot be mapped, so that none is read that lies."""
    name = columns.state or STATE_NAMES[0]
    return {name: Variable(lambda: np.array(np.load(path, mmap_mode="r", allow_pickle=False)))}


def _netcdf(path: Path) -> Variables:
    with path.open("rb") as opened, netcdf_file(opened, "r", mmap=False) as file:
        return {
            # SciPy keeps the attributes of the file apart from those of Python there.
            name: _classic(path, name, variable[...].copy(), variable.dimensions, dict(variable._attributes))
            for name, variable in file.variables.items()
        }


def _classic(
    path: Path, name: str, values: np.ndarray, dimensions: tuple[str, ...], attributes: dict[str, object]
) -> Variable:
    """A variable of netCDF 3, whose texts are arrays of single letters."""
    spoken = {key: attributes[key] for key in SPOKEN if key in attributes}
    if values.dtype.kind == "S" and values.ndim == 2:
        rows = values.tolist()
        texts = np.array([b"".join(row).decode("utf-8", errors="replace").strip("\0 ") for row in rows])
        return Variable(lambda: texts, dimensions[:1], spoken)
    return Variable(lambda: unpacked(path, name, values, spoken, defaults=True), dimensions, spoken)
