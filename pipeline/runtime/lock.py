"""Only one process at a time works in a folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ...data.base.errors import TrajstoreError
from ...data.base.files import LOCK, reason
from ...data.folder.names import MANIFEST


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder if need be, and hold its lock.

    Raises TrajstoreError that says who holds it, or why the folder cannot be used: a dataset's folder, say, has
    room for nothing else. The operating system
    frees the lock of a process that dies.
    """
    if (folder.absolute().parent / MANIFEST).exists():
        raise TrajstoreError(
            f"{folder}: lies in a dataset, which holds nothing but its own files; choose another folder"
        )
    path = folder / LOCK
    lock = FileLock(path, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        try:
            holder = path.read_text(errors="replace") or "another process"
        except OSError:
            holder = "another process"
        raise TrajstoreError(f"{folder}: {holder} works in this folder; wait until it has ended") from None
    except (FileExistsError, NotADirectoryError):
        raise TrajstoreError(f"{folder}: is a file; expected a folder") from None
    except OSError as error:
        raise TrajstoreError(
            f"{folder}: cannot be written ({reason(error)}); mend the cause or choose another folder"
        ) from None
    try:
        # A full disk does not matter yet, and at the end the system frees the lock whatever becomes of the file.
        with suppress(OSError):
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        lock.release()
