"""Only one process at a time works in a folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ...data.base.errors import TrajstoreError
from ...data.base.files import LOCK, reason
from ...data.folder.elsewhere import refuse_inside


@contextmanager
def locked(folder: Path, name: Path | None = None) -> Iterator[None]:
    """Make the folder if need be, and hold its lock; `name` is what messages call it, where that is another.

    Raises TrajstoreError that says who holds it, or why the folder cannot be used: a dataset's folder, say, has
    room for nothing else. The operating system
    frees the lock of a process that dies.
    """
    name = name or folder
    refuse_inside(folder, name)
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
        raise TrajstoreError(f"{name}: {holder} works in this folder; wait until it has ended") from None
    except (FileExistsError, NotADirectoryError):
        raise TrajstoreError(f"{name}: {_in_the_way(folder)}; expected a folder") from None
    except OSError as error:
        raise TrajstoreError(
            f"{name}: cannot be written ({reason(error)}); mend the cause or choose another folder"
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


def _in_the_way(folder: Path) -> str:
    """Which part of a path is there and is no folder, and what it is."""
    found = next(part for part in (folder, *folder.parents) if part.is_symlink() or part.exists())
    what = "is a file" if found.exists() else "is a link to what is not there"
    return what if found == folder else f"{found} {what}"
