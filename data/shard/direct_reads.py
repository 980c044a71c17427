"""Reads of known extent, past the page cache where that would only push other things out of it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import FileIO
from pathlib import Path

from ..base.errors import AGAIN, FormatError
from ..base.shortage import shortage
from ..remote.opening import is_here, read_elsewhere

PAGE = 4096


@contextmanager
def extents(path: Path, *, keep: bool) -> Iterator[Callable[[memoryview, int], None]]:
    """What fills a buffer of bytes from a file, from a byte offset on; the file is opened once for all of these.

    keep  False gives the pages that were read back to the system at once

    Raises FormatError if the file ends before, or cannot be read.
    """
    if not is_here(path):
        yield partial(_from_elsewhere, path)
        return
    try:
        with path.open("rb", buffering=0) as file:
            # Not a byte more than is asked for: what lies behind a block belongs to another time.
            advise(file.fileno(), 0, os.fstat(file.fileno()).st_size, "POSIX_FADV_RANDOM")
            yield partial(_fill, file, path, keep)
    except OSError as error:
        raise shortage(error) or FormatError(f"cannot be read ({error.strerror})", path) from None


def _fill(file: FileIO, path: Path, keep: bool, target: memoryview, offset: int) -> None:
    file.seek(offset)
    done = 0
    while done < len(target):
        read = file.readinto(target[done:])
        if not read:
            raise FormatError(
                f"ends at byte {offset + done}, expected {offset + len(target)}; it is truncated. {AGAIN}",
                path,
            )
        done += read
    if not keep:
        advise(file.fileno(), offset, len(target), "POSIX_FADV_DONTNEED")


def _from_elsewhere(path: Path, target: memoryview, offset: int) -> None:
    target[:] = read_elsewhere(path, offset, offset + len(target))


def advise(file: int, offset: int, size: int, advice: str) -> None:
    """posix_fadvise(2) for all pages that a stretch touches, where the system has it."""
    if hasattr(os, "posix_fadvise"):
        first = offset // PAGE * PAGE
        os.posix_fadvise(file, first, offset + size - first + PAGE, getattr(os, advice))
