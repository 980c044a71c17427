"""The states of one shard, row by row from disk: a memory map where possible, chunk by chunk elsewhere."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from .chunks import Chunks
from .structure import open_shard, variable
from .windows import Windows

# Room for decompressed chunks, so that neighbouring rows do not decompress the same chunk again.
CHUNK_CACHE_BYTES = 64 << 20


class MappedStates:
    """States of a contiguous, uncompressed shard, read through the page cache.

    `offset` is None where there are none. Holds no file handle: safe across fork, and cheap to open again after
    spawn.
    """

    def __init__(self, path: Path, offset: int | None, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype.newbyteorder("=")
        if offset is None:
            self._states = np.empty(shape, dtype)
        else:
            self._states = np.asarray(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape))

    def gather(
        self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows, out: np.ndarray | None = None
    ) -> np.ndarray:
        """States (n, length, D) of the given rows, from the given windows of each; into `out` if given."""
        if starts is None and self._states.dtype.isnative:
            # Twice as fast as indexing; the caller has checked the bounds.
            return np.take(self._states, rows, axis=0, mode="clip", out=out)
        chosen = self._states[rows] if starts is None else windows.view(self._states)[rows, starts]
        if out is None:
            return chosen.astype(self.dtype, copy=False)
        out[:] = chosen
        return out


class ChunkedStates:
    """States of a chunked or compressed shard. Holds no file handle, but the chunks that were used last."""

    def __init__(self, chunks: Chunks) -> None:
        self.shape, self.dtype = chunks.shape, chunks.dtype.newbyteorder("=")
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
