"""The states of one shard, row by row from disk: a memory map where possible, chunk by chunk elsewhere."""

from collections.abc import Iterator
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from ..shard.chunks import Chunks
from ..shard.direct_reads import read_into
from ..shard.structure import open_shard, variable
from .windows import Windows

# Room for decompressed chunks, so that neighbouring rows do not decompress the same chunk again.
CHUNK_CACHE_BYTES = 64 << 20
# Rows that are not asked for, as failed ones, are read with their neighbours up to so many bytes.
GAP_BYTES = 64 << 10


class MappedStates:
    """States of a contiguous, uncompressed shard, read through the page cache.

    `offset` is None where there are none. Holds no file handle: safe across fork, and cheap to open again after
    spawn. Mapped on first use, for a process may have 65 530 maps.
    """

    unit_rows = 1

    def __init__(self, path: Path, offset: int | None, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype.newbyteorder("=")
        self._path, self._offset, self._stored = path, offset, dtype

    @cached_property
    def _map(self) -> mmap:
        with self._path.open("rb") as file:
            return mmap(file.fileno(), 0, access=ACCESS_READ)

    @property
    def _states(self) -> np.ndarray:
        # An array for each call: one that is kept, a few bytes of the heap a shard, comes to lie in the memory of a
        # batch, which then cannot be used for the next. 100 shards grew by 60 to 200 MB, and more by more.
        if self._offset is None:
            return np.empty(self.shape, self._stored)
        return np.frombuffer(self._map, self._stored, prod(self.shape), self._offset).reshape(self.shape)

    def gather(
        self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows, out: np.ndarray | None = None
    ) -> np.ndarray:
        """States (n, length, D) of the given rows, from the given windows of each; into `out` if given."""
        return windows.take(self._states, rows, starts, out)

    def read(self, rows: np.ndarray, out: np.ndarray, *, keep: bool) -> None:
        """Copy these rows, in ascending order, in few large reads past the map; `keep` as in `read_into`."""
        row_bytes = self._stored.itemsize * prod(self.shape[1:])
        for run in _runs(rows, row_bytes):
            here, first, count = out[run], int(rows[run.start]), int(rows[run.stop - 1] - rows[run.start]) + 1
            whole = count == len(here) and here.dtype == self._stored
            block = here if whole else np.empty((count, *self.shape[1:]), self._stored)
            offset = (self._offset or 0) + first * row_bytes
            read_into(self._path, block.reshape(-1).view(np.uint8).data, offset, keep=keep)
            if not whole:
                here[:] = block[rows[run] - first]


class ChunkedStates:
    """States of a chunked or compressed shard. Holds no file handle, but the chunks that were used last."""

    def __init__(self, chunks: Chunks) -> None:
        self.shape, self.dtype = chunks.shape, chunks.dtype.newbyteorder("=")
        self.unit_rows = chunks.chunk[0]
        self._chunks = chunks
        self._read = lru_cache(max(1, CHUNK_CACHE_BYTES // chunks.chunk_bytes))(chunks.read)

    def gather(
        self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows, out: np.ndarray | None = None
    ) -> np.ndarray:
        """States (n, length, D) of the given rows, from the given windows of each; into `out` if given."""
        chunk_rows = self._chunks.chunk[0]
        if out is None:
            out = np.empty((len(rows), windows.length, self.shape[2]), self.dtype)
        order = np.argsort(rows, kind="stable")
        chunks = rows[order] // chunk_rows
        for group in np.split(order, np.flatnonzero(np.diff(chunks)) + 1):
            if len(group) == 0:
                continue
            first, last = int(rows[group[0]]), int(rows[group[-1]]) + 1
            block = self._chunks.rows(first, last, self._read)
            if starts is None:
                out[group] = block[rows[group] - first]
            else:
                out[group] = windows.view(block)[rows[group] - first, starts[group]]
        return out

    def read(self, rows: np.ndarray, out: np.ndarray, *, keep: bool) -> None:
        """Copy these rows, in ascending order, chunk by chunk; `keep` as in `read_into`."""
        unpack = partial(self._chunks.read, keep=keep)
        row_bytes = self.dtype.itemsize * prod(self.shape[1:])
        for run in _runs(rows, row_bytes):
            first = int(rows[run.start])
            block = self._chunks.rows(first, int(rows[run.stop - 1]) + 1, unpack)
            out[run] = block[rows[run] - first]


def _runs(rows: np.ndarray, row_bytes: int) -> Iterator[slice]:
    """Cut ascending rows where so much lies between two that reading it would cost more than another read."""
    cuts = np.flatnonzero(np.diff(rows) > max(1, GAP_BYTES // max(1, row_bytes))) + 1
    bounds = [0, *cuts.tolist(), len(rows)]
    return (slice(first, last) for first, last in pairwise(bounds) if first < last)


def open_states(path: Path, name: str = "state") -> MappedStates | ChunkedStates:
    """The states of a shard, or another variable of their shape.

    Raises FormatError if the file has not the structure of a shard, or not that variable.
    """
    with open_shard(path) as file:
        dataset = variable(file, name)
        if dataset.chunks:
            return ChunkedStates(Chunks.of(path, dataset))
        return MappedStates(
            path, dataset.id.get_offset() if dataset.size else None, dataset.shape, dataset.dtype
        )
