"""A control group with a limit of memory, page cache included, and files that are not in the page cache."""

import ctypes
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """Processes that enter it may together use so many bytes, whether for themselves or for pages of files.

    Of version 1 or 2, below this process's own group; see cgroups(7).
    """

    def __init__(self, folder: Path, peak_file: str) -> None:
        self._folder, self._peak_file = folder, peak_file

    def enter(self) -> None:
        """Put the calling process into the group."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self) -> int:
        """The most bytes that were in use at once."""
        return int((self._folder / self._peak_file).read_text())


@contextmanager
def memory_group(limit: int) -> Iterator[MemoryGroup | None]:
    """A group with that limit, or None where this process may not make one."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    places = {name: place for _, names, place in lines for name in names.split(",")}
    version_1 = "memory" in places
    root = ROOT / "memory" if version_1 else ROOT
    folder = root / places["memory" if version_1 else ""].lstrip("/") / f"trajstore-{os.getpid()}"
    limit_file = "memory.limit_in_bytes" if version_1 else "memory.max"
    made = False
    try:
        folder.mkdir()
        made = True
        (folder / limit_file).write_text(str(limit))
        with suppress(OSError):
            swap = "memory.memsw.limit_in_bytes" if version_1 else "memory.swap.max"
            (folder / swap).write_text(str(limit if version_1 else 0))
        yield MemoryGroup(folder, "memory.max_usage_in_bytes" if version_1 else "memory.peak")
    except OSError:
        if made and (folder / limit_file).exists():
            raise
        yield None
    finally:
        if made:
            folder.rmdir()


def evict(paths: Iterable[Path]) -> None:
    """Drop the pages of files from the page cache."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident(paths: Iterable[Path]) -> float:
    """The share of the files' pages that is in the page cache, by mincore(2)."""
    found = total = 0
    mincore = ctypes.CDLL(None, use_errno=True).mincore
    for path in paths:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            view = np.frombuffer(mapped, np.uint8)
            pages = np.zeros(-(-len(mapped) // mmap.PAGESIZE), np.uint8)
            arguments = (view.ctypes.data, len(mapped), pages.ctypes.data)
            failed = mincore(*map(ctypes.c_void_p, arguments))
            del view
            if failed:
                raise OSError(ctypes.get_errno(), "mincore")
            found, total = found + int((pages & 1).sum()), total + len(pages)
    return found / total
