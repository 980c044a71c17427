"""The chunks of a stored variable, read and unpacked by bounded means.

HDF5's own deflate filter lets a chunk grow for as long as its stream goes on, whatever the file declares; here a
chunk unpacks to the bytes that its shape needs, or is damaged. It is also as fast, and holds no file handle.
"""

import io
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path

import h5py
import numpy as np

from ..base.errors import AGAIN, FormatError
from ..remote.opening import open_bytes, shown
from .direct_reads import advise

# What zlib may add to bytes that it cannot compress.
DEFLATE_OVERHEAD = 1 << 16

Packed = bytes | memoryview


@dataclass(frozen=True)
class Chunks:
    """Where each chunk of a variable lies.

    shape, dtype     of the variable; the dtype as stored, in its byte order
    chunk            shape of a chunk
    filters          codes of the filters, in the order in which they were applied
    places           (chunks, 3) int64: byte offset, stored bytes, mask of the filters that were left out
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    chunk: tuple[int, ...]
    filters: tuple[int, ...]
    places: np.ndarray

    @classmethod
    def of(cls, path: Path, dataset: h5py.Dataset) -> "Chunks":
        """Raises FormatError if a chunk is missing or is larger than it can be."""
        shape, chunk = tuple(dataset.shape), tuple(dataset.chunks or dataset.shape)
        counts = [-(-length // step) for length, step in zip(shape, chunk, strict=True)]
        places = np.zeros((prod(counts), 3), dtype=np.int64)
        largest = prod(chunk) * dataset.dtype.itemsize + DEFLATE_OVERHEAD

        def note(stored: h5py.h5d.StoreInfo) -> bool | None:
            where = [start // step for start, step in zip(stored.chunk_offset, chunk, strict=True)]
            inside = all(index < count for index, count in zip(where, counts, strict=True))
            if not inside or not 0 < stored.size <= largest or stored.byte_offset is None:
                return True
            number = int(np.ravel_multi_index(where, counts))
            places[number] = stored.byte_offset, stored.size, stored.filter_mask
            return None

        odd = dataset.id.chunk_iter(note) if len(places) else None
        if odd or not places[:, 1].all():
            raise FormatError(f"chunks of {dataset.name!r} are missing or larger than they can be", path)
        made = dataset.id.get_create_plist()
        filters = tuple(made.get_filter(index)[0] for index in range(made.get_nfilters()))
        return cls(path, shape, dataset.dtype, chunk, filters, places)

    @property
    def chunk_bytes(self) -> int:
        """Of one chunk, unpacked."""
        return prod(self.chunk) * self.dtype.itemsize

    def read(self, number: int, *, keep: bool = True) -> np.ndarray:
        """One chunk, unpacked, in the stored dtype. Raises FormatError if it is damaged.

        keep  False gives the pages that were read back to the system at once
        """
        offset, stored, mask = (int(value) for value in self.places[number])
        with open_bytes(self.path) as file:
            file.seek(offset)
            packed: Packed = file.read(stored)
            # What lies elsewhere has no pages here.
            with suppress(io.UnsupportedOperation):
                if not keep:
                    advise(file.fileno(), offset, stored, "POSIX_FADV_DONTNEED")
        needed = self.chunk_bytes
        for index, code in reversed(list(enumerate(self.filters))):
            if mask & 1 << index:
                continue
            packed = (
                _inflate(packed, needed)
                if code == h5py.h5z.FILTER_DEFLATE
                else _unshuffle(packed, self.dtype)
            )
        if len(packed) != needed:
            raise FormatError(
                f"a chunk of the states does not unpack to its {needed} bytes: it is damaged. {AGAIN}",
                shown(self.path),
            )
        return np.frombuffer(packed, self.dtype).reshape(self.chunk)

    def rows(self, first: int, last: int, read: Callable[[int], np.ndarray] | None = None) -> np.ndarray:
        """Entries `first` to `last` of the first dimension, in the machine's byte order.

        read  gives a chunk by its number, for a caller that keeps some
        """
        read = read or self.read
        rows = np.empty((last - first, *self.shape[1:]), self.dtype.newbyteorder("="))
        counts = [-(-length // step) for length, step in zip(self.shape, self.chunk, strict=True)]
        for place in product(
            range(first // self.chunk[0], -(-last // self.chunk[0])), *map(range, counts[1:])
        ):
            chunk = read(int(np.ravel_multi_index(place, counts)))
            begins = place[0] * self.chunk[0]
            low, high = max(first, begins), min(last, begins + self.chunk[0])
            others = [
                slice(index * step, (index + 1) * step)
                for index, step in zip(place[1:], self.chunk[1:], strict=True)
            ]
            target = rows[(slice(low - first, high - first), *others)]
            within = (slice(low - begins, high - begins), *map(slice, target.shape[1:]))
            target[...] = chunk[within]
        return rows


def _inflate(packed: Packed, needed: int) -> bytes:
    """At most one byte more than needed; nothing where the stream is not whole, or its checksum is wrong."""
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(packed, needed + 1)
    except zlib.error:
        return b""
    return unpacked if stream.eof else b""


def _unshuffle(packed: Packed, dtype: np.dtype) -> Packed:
    """Undo HDF5's shuffle: all first bytes of the values, then all second bytes, ..."""
    if len(packed) % dtype.itemsize:
        return b""
    planes = np.frombuffer(packed, np.uint8).reshape(dtype.itemsize, -1)
    values = np.empty((planes.shape[1], dtype.itemsize), np.uint8)
    # Plane by plane, for this is several times as fast as a transposed copy.
    for index, plane in enumerate(planes):
        values[:, index] = plane
    return values.reshape(-1).data
