"""The variables of a MATLAB file of version 5 to 7.2; later ones are HDF5."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat, whosmat

from ...data.errors import DataError
from ...data.guard import FREE_UNPACKING, MAX_LINKS, MAX_UNPACKING
from .variables import Variable

HEADER = 128
COMPRESSED = 15
CHUNK = 1 << 20
# Classes of MATLAB that are arrays of numbers, or texts.
PLAIN = {"double", "single", "char", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


def matlab_variables(path: Path) -> dict[str, Variable]:
    """Arrays and texts, as MATLAB shows them; structs, cells and objects are left out.

    Raises DataError if the file unpacks to more than one of its size may.
    """
    content = path.read_bytes()
    _check_size(path, content)
    listed = whosmat(io.BytesIO(content))
    if len(listed) > MAX_LINKS:
        raise DataError(f"{path}: has more than {MAX_LINKS} variables")
    names = [name for name, _, kind in listed if kind in PLAIN]

    def read(name: str) -> np.ndarray:
        values = np.asarray(loadmat(io.BytesIO(content), variable_names=[name], chars_as_strings=True)[name])
        # MATLAB knows no arrays of one dimension.
        return values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values

    return {name: Variable(lambda name=name: read(name)) for name in names}


def _check_size(path: Path, content: bytes) -> None:
    """Raises DataError if what is compressed unpacks to too much, without keeping any of it."""
    order = "<" if content[126:128] == b"IM" else ">"
    allowed = MAX_UNPACKING * len(content) + FREE_UNPACKING
    place = HEADER
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        place += 8
        if kind == COMPRESSED:
            stream = zlib.decompressobj()
            packed = content[place : place + size]
            while packed and allowed > 0:
                allowed -= len(stream.decompress(packed, CHUNK))
                packed = stream.unconsumed_tail
        else:
            allowed -= size
        if allowed <= 0:
            raise DataError(f"{path}: unpacks to too many bytes for a file of its size")
        place += size
