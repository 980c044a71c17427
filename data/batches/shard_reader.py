"""The states of one shard, row by row: by a memory map, chunk by chunk, or by ranges from where the file lies."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from ..remote.opening import hold, is_here, read_elsewhere
from ..shard.chunks import Chunks
from ..shard.direct_reads import extents
from ..shard.structure import open_shard, variable
from .sweeps import FAR_BYTES, REQUESTS
from .windows import Windows

# Room for decompressed chunks, so that neighbouring rows do not decompress the same chunk again.
CHUNK_CACHE_BYTES = 64 << 20
# Rows that are not asked for, as failed ones, are read with their neighbours up to so many bytes.
GAP_BYTES = 64 << 10
# Rows to copy, at least one, in ascending order; and where to, (n, T, D).
Stretch = tuple[np.ndarray, np.ndarray]


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

    def bring(self, first: int, last: int) -> None:
        """Have rows `first` up to (without) `last` at hand, where they would come one request after the other."""

    def read(self, stretches: Iterable[Stretch], *, keep: bool) -> None:
        """Copy rows, in few large reads past the map; `keep` as of `extents`."""
        row_bytes = self._stored.itemsize * prod(self.shape[1:])
        with extents(self._path, keep=keep) as fill:
            for rows, out in _runs(stretches, row_bytes):
                first, count = int(rows[0]), int(rows[-1] - rows[0]) + 1
                whole = count == len(out) and out.dtype == self._stored
                block = out if whole else np.empty((count, *self.shape[1:]), self._stored)
                fill(block.reshape(-1).view(np.uint8).data, (self._offset or 0) + first * row_bytes)
                if not whole:
                    out[:] = block[rows - first]


class RangedStates(MappedStates):
    """States of a contiguous, uncompressed shard that lies elsewhere: only the bytes that are asked for come."""

    def bring(self, first: int, last: int) -> None:
        """Have rows `first` up to (without) `last` at hand, by one request."""
        row_bytes = self._stored.itemsize * prod(self.shape[1:])
        begin = self._offset or 0
        hold(self._path, begin + first * row_bytes, begin + last * row_bytes)

    def gather(
        self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows, out: np.ndarray | None = None
    ) -> np.ndarray:
        """States (n, length, D) of the given rows, from the given windows of each; into `out` if given."""
        _, samples, components = self.shape
        length = samples if starts is None else windows.length
        points = rows.astype(np.int64) * samples
        points += 0 if starts is None else starts * windows.stride
        if out is None:
            out = np.empty((len(rows), length, components), self.dtype)
        order = np.argsort(points, kind="stable")
        point_bytes = self._stored.itemsize * components
        gaps = np.diff(points[order]) - length
        groups = np.split(order, np.flatnonzero(gaps * point_bytes > FAR_BYTES) + 1)

        def fill(group: np.ndarray) -> None:
            first, last = int(points[group[0]]), int(points[group[-1]]) + length
            begin = (self._offset or 0) + first * point_bytes
            read = read_elsewhere(self._path, begin, begin + (last - first) * point_bytes)
            states = np.frombuffer(read, self._stored).reshape(-1, components)
            out[group] = states[(points[group] - first)[:, None] + np.arange(length)]

        groups = [group for group in groups if len(group)]
        if len(groups) == 1:
            fill(groups[0])
        elif groups:
            with ThreadPoolExecutor(min(REQUESTS, len(groups))) as readers:
                list(readers.map(fill, groups))
        return out


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

    def bring(self, first: int, last: int) -> None:
        """Nothing: a chunk comes as a whole."""

    def read(self, stretches: Iterable[Stretch], *, keep: bool) -> None:
        """Copy rows, chunk by chunk; `keep` as of `extents`."""
        unpack = partial(self._chunks.read, keep=keep)
        row_bytes = self.dtype.itemsize * prod(self.shape[1:])
        for rows, out in _runs(stretches, row_bytes):
            first = int(rows[0])
            out[:] = self._chunks.rows(first, int(rows[-1]) + 1, unpack)[rows - first]


def _runs(stretches: Iterable[Stretch], row_bytes: int) -> Iterator[Stretch]:
    """Cut stretches where so much lies between two rows that reading it would cost more than another read."""
    far = max(1, GAP_BYTES // max(1, row_bytes))
    for rows, out in stretches:
        if rows[-1] - rows[0] == len(rows) - 1:
            yield rows, out
            continue
        bounds = [0, *(np.flatnonzero(np.diff(rows) > far) + 1).tolist(), len(rows)]
        yield from ((rows[first:last], out[first:last]) for first, last in pairwise(bounds))


States = MappedStates | ChunkedStates


def open_states(path: Path, name: str = "state") -> States:
    """The states of a shard, or another variable of their shape.

    Raises FormatError if the file has not the structure of a shard, or not that variable.
    """
    with open_shard(path) as file:
        dataset = variable(file, name)
        if dataset.chunks:
            return ChunkedStates(Chunks.of(path, dataset))
        contiguous = MappedStates if is_here(path) else RangedStates
        return contiguous(
            path, dataset.id.get_offset() if dataset.size else None, dataset.shape, dataset.dtype
        )
