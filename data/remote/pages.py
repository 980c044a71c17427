"""A file elsewhere as Python's files are: seekable, read by ranges, small neighbouring reads together."""

import io
from collections.abc import Callable
from typing import Any

# What is read of a file at first, where HDF5 keeps most that it needs to know; then so many bytes at a time.
FRONT = 16 << 10
PAGE = 8 << 10
# Of pages that are read one after the other, so many at once at the most; and how many are kept.
MOST_AHEAD = 128
KEPT = 256


class Pages:
    """The bytes of a file of known size. Large reads bring exactly what they ask for, small ones whole pages.

    fetch  gives the bytes from one number to (without) another
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self.size = size
        self._fetch = fetch
        self._pages: dict[int, bytes] = {}
        self._next, self._ahead = -1, 1

    def read(self, start: int, end: int) -> bytes:
        """Bytes `start` to (without) `end`, or to the end of the file."""
        end = min(end, self.size)
        if start >= end:
            return b""
        if end - start > 2 * PAGE:
            return self._fetch(start, end)
        first, last = start // PAGE, (end - 1) // PAGE
        found = b"".join(self._page(number) for number in range(first, last + 1))
        return found[start - first * PAGE : end - first * PAGE]

    def _page(self, number: int) -> bytes:
        page = self._pages.get(number)
        if page is None:
            count = FRONT // PAGE if number == 0 else self._count(number)
            start = number * PAGE
            read = self._fetch(start, min(start + count * PAGE, self.size))
            while len(self._pages) + count > KEPT and self._pages:
                self._pages.pop(next(iter(self._pages)), None)
            for place in range(0, len(read), PAGE):
                self._pages[number + place // PAGE] = read[place : place + PAGE]
            self._next = number + count
            page = read[:PAGE]
        return page

    def _count(self, number: int) -> int:
        """Twice as many as before where pages are read one after the other; one anywhere else."""
        self._ahead = min(2 * self._ahead, MOST_AHEAD) if number == self._next else 1
        return self._ahead


class PagedFile(io.RawIOBase):
    """One reader's place in the pages of a file."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._at = pages, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._pages.size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        read = self._pages.read(self._at, self._at + len(view))
        view[: len(read)] = read
        self._at += len(read)
        return len(read)
