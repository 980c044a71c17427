"""Opens a file of measured trajectories by its kind: CSV, NPZ, HDF5 or netCDF. It may be a stranger's."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from scipy.io import netcdf_file

from ...data.errors import DataError, TrajstoreError
from ...data.guard import FREE_UNPACKING, MAX_LINKS, MAX_UNPACKING
from .arrays import Arrays, from_arrays
from .measurements import Columns, Measurements
from .packing import unpacked
from .tables import read_table

SAFE_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
MAX_DEPTH = 8
# Byte order marks of UTF-16, which Excel calls Unicode text.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_measurements(path: Path, columns: Columns) -> Measurements:
    """Read a file by its kind. Raises DataError that names file, variable and line where something is wrong."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name the files in it")
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if not path.is_file():
        raise DataError(f"{path}: is no regular file")
    try:
        return _by_kind(path, columns)
    except TrajstoreError:
        raise
    # The readers of NumPy, SciPy and h5py raise any error at all on a damaged file, and MemoryError on a lying one.
    except Exception as error:
        raise DataError(f"{path}: cannot be read ({str(error) or type(error).__name__})") from None


def _by_kind(path: Path, columns: Columns) -> Measurements:
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK\x03\x04"):
        with _npz(path) as arrays:
            return from_arrays(path, arrays, columns)
    if h5py.is_hdf5(path):
        with h5py.File(path, "r", locking=False) as file:
            return from_arrays(path, _hdf5(path, file), columns)
    if head.startswith((b"CDF\x01", b"CDF\x02")):
        return from_arrays(path, _netcdf(path), columns)
    if head.startswith(UTF_16):
        raise DataError(f"{path}: is no UTF-8; save it as UTF-8")
    if b"\0" in head:
        raise DataError(f"{path}: neither CSV, NPZ, HDF5 nor netCDF")
    return read_table(path, columns)


@contextmanager
def _npz(path: Path) -> Iterator[Arrays]:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_UNPACKING * path.stat().st_size + FREE_UNPACKING:
        raise DataError(f"{path}: unpacks to {size:,} bytes, too many for a file of its size")
    with np.load(path, allow_pickle=False) as arrays:
        yield {name: lambda name=name: arrays[name] for name in arrays.files}


def _netcdf(path: Path) -> Arrays:
    with path.open("rb") as opened, netcdf_file(opened, "r", mmap=False) as file:
        read = {
            # SciPy keeps the attributes of the file apart from those of Python there.
            name: (variable[...].copy(), dict(variable._attributes))
            for name, variable in file.variables.items()
        }
    return {name: lambda name=name: unpacked(*read[name], name, defaults=True) for name in read}


def _hdf5(path: Path, file: h5py.File) -> Arrays:
    """The variables of a file and its groups that lie in it: no links, nothing virtual, no foreign filters."""
    arrays: dict[str, Callable[[], np.ndarray]] = {}
    # What the netCDF library wrote, or another that follows it.
    netcdf = "_NCProperties" in file.attrs
    seen: set[h5py.Group] = set()

    def visit(group: h5py.Group, prefix: str) -> None:
        # A group may be its own member.
        if group in seen or prefix.count("/") > MAX_DEPTH:
            return
        seen.add(group)
        for name in map(str, group):
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            if isinstance(item, h5py.Dataset):
                arrays[prefix + name] = lambda item=item, name=prefix + name: _read(path, name, item, netcdf)
                if len(arrays) > MAX_LINKS:
                    raise DataError(f"{path}: has more than {MAX_LINKS} variables")
            elif isinstance(item, h5py.Group):
                visit(item, f"{prefix}{name}/")

    visit(file, "")
    return arrays


def _read(path: Path, name: str, item: h5py.Dataset, netcdf: bool) -> np.ndarray:
    properties = item.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    if item.is_virtual or item.external or not set(filters) <= set(SAFE_FILTERS):
        raise DataError(f"{path}: {name} lies in other files or needs filters that are not trusted")
    if item.nbytes > MAX_UNPACKING * item.id.get_storage_size() + FREE_UNPACKING:
        raise DataError(f"{path}: {name} unpacks to {item.nbytes:,} bytes, too many for what is stored")
    if h5py.check_string_dtype(item.dtype):
        return np.asarray(item.asstr()[()])
    return unpacked(np.asarray(item[()]), dict(item.attrs), name, defaults=netcdf)
