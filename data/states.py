"""The states of one shard, row by row from disk: a memory map where possible, h5py elsewhere."""

import os
from pathlib import Path

import h5py
import numpy as np

from .structure import open_shard, variable
from .windows import Windows

# Room for decompressed chunks, so that neighbouring rows do not decompress the same chunk again.
CHUNK_CACHE_BYTES = 64 << 20


class MappedStates:
    """States of a contiguous, uncompressed shard, read through the page cache.

    Holds no file handle: safe across fork, and cheap to open again after spawn.
    """

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype
        self._states = np.asarray(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape))

    def gather(
        self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows, out: np.ndarray | None = None
    ) -> np.ndarray:
        """States (n, length, D) of the given rows, from the given windows of each; into `out` if given."""
        if starts is None:
            # Twice as fast as indexing; the caller has checked the bounds.
            return np.take(self._states, rows, axis=0, mode="clip", out=out)
        chosen = windows.view(self._states)[rows, starts]
        if out is None:
            return chosen
        out[:] = chosen
        return out


class ChunkedStates:
    """States of a chunked or compressed shard; the handle is opened on first use in each process."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype
        self._path = path
        self._process: int | None = None
        self._file: h5py.File | None = None

    def _dataset(self) -> h5py.Dataset:
        if self._file is None or self._process != os.getpid():
            self._file = h5py.File(self._path, "r", locking=False, rdcc_nbytes=CHUNK_CACHE_BYTES)
            self._process = os.getpid()
        return variable(self._file, "state")

    def gather(
        self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows, out: np.ndarray | None = None
    ) -> np.ndarray:
        """States (n, length, D) of the given rows, from the given windows of each; into `out` if given."""
        dataset = self._dataset()
        chunk_rows = dataset.chunks[0] if dataset.chunks else 1
        if out is None:
            out = np.empty((len(rows), windows.length, self.shape[2]), self.dtype)
        order = np.argsort(rows, kind="stable")
        chunks = rows[order] // chunk_rows
        for group in np.split(order, np.flatnonzero(np.diff(chunks)) + 1):
            if len(group) == 0:
                continue
            first, last = rows[group[0]], rows[group[-1]] + 1
            block = dataset[first:last]
            if starts is None:
                out[group] = block[rows[group] - first]
            else:
                out[group] = windows.view(block)[rows[group] - first, starts[group]]
        return out


def open_states(path: Path) -> MappedStates | ChunkedStates:
    """The states of a shard. Raises FormatError if the file has not the structure of a shard."""
    with open_shard(path) as file:
        dataset = variable(file, "state")
        offset = dataset.id.get_offset()
        # get_offset is None where the data are chunked, compressed, or lie in another file.
        if offset is None or dataset.chunks is not None or dataset.size == 0 or not dataset.dtype.isnative:
            return ChunkedStates(path, dataset.shape, dataset.dtype.newbyteorder("="))
        return MappedStates(path, offset, dataset.shape, dataset.dtype)
