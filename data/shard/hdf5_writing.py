"""HDF5 files that are written so that a disk which refuses is an exception, and nothing more."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py


@contextmanager
def new_hdf5(path: Path, **options: Any) -> Iterator[h5py.File]:
    """A new HDF5 file, open in the block and closed after it; `options` are those of h5py.File.

    Raises OSError or RuntimeError if the disk refuses: what HDF5 could not write it holds on to, tries to write again
    when the process ends, and crashes there. So a file that cannot be written is given up first.
    """
    file = h5py.File(path, "w", locking=False, **options)
    try:
        yield file
        # What the disk refuses is met here, where the file can still be given up.
        file.flush()
        file.close()
    except BaseException:
        _give_up(file)
        raise


def _give_up(file: h5py.File) -> None:
    """Let what HDF5 still has to write go nowhere: nobody wants the file any more."""
    if not file:
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        os.dup2(nowhere, file.id.get_vfd_handle())
    finally:
        os.close(nowhere)
    with suppress(OSError, RuntimeError):
        file.close()
