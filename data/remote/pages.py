"""A file elsewhere as Python's files are: seekable, read by ranges, small neighbouring reads together."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# What is read of a file at first, where HDF5 keeps most that it needs to know; then so many bytes at a time.
FRONT = 16 << 10
PAGE = 8 << 10
# HDF5 also looks at a file's end when it is opened; what lies between the two comes along if it is no more than this.
END = 8 << 10
BETWEEN = 48 << 10
ENDS = FRONT + END
# Of pages that are read one after the other, so many at once at the most; and how many are kept.
MOST_AHEAD = 128
KEPT = 128
# Of stretches that are held, those that came last, so many bytes of all files together.
HELD_BYTES = 96 << 20

Stretch = tuple[int, bytes]


class Pages:
    """The bytes of a file of known size. Large reads bring exactly what they ask for, small ones whole pages.

    fetch  gives the bytes from one number to (without) another
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self.size = size
        self._fetch = fetch
        self._pages: dict[int, bytes] = {}
        self._stretches: list[Stretch] = []
        self._next, self._ahead = -1, 1

    def hold(self, start: int, end: int) -> None:
        """Bring a long stretch at once, from which what is read later is taken."""
        if self._found(start, end) is None:
            stretch = start, self._fetch(start, end)
            self._stretches.append(stretch)
            _keep(self, stretch)

    def drop(self, stretch: Stretch) -> None:
        """Hold a stretch no longer."""
        self._stretches = [each for each in self._stretches if each is not stretch]

    def bring_ends(self) -> None:
        """Bring what HDF5 needs of a file to open it, its beginning and its end, both at once."""
        end = max(0, self.size - END) // PAGE * PAGE
        ends = [(0, FRONT), (end, self.size)] if end > FRONT + BETWEEN else [(0, self.size)]
        if all(self._found(*each) is not None for each in ends):
            return
        with ThreadPoolExecutor(len(ends)) as readers:
            for (start, _), read in zip(
                ends, readers.map(self._fetch, *zip(*ends, strict=True)), strict=True
            ):
                self._put(start, read)

    def exactly(self, start: int, end: int) -> bytes:
        """These bytes; of the file come no more than these."""
        found = self._found(start, end)
        return self._fetch(start, end) if found is None else found

    def _found(self, start: int, end: int) -> bytes | None:
        """These bytes, if they are here already."""
        for first, read in self._stretches:
            if first <= start and end <= first + len(read):
                return read[start - first : end - first]
        first = start // PAGE
        pages = [self._pages.get(number) for number in range(first, (end - 1) // PAGE + 1)]
        if None in pages:
            return None
        return b"".join(page for page in pages if page)[start - first * PAGE : end - first * PAGE]

    def read(self, start: int, end: int) -> bytes:
        """Bytes `start` to (without) `end`, or to the end of the file."""
        end = min(end, self.size)
        if start >= end:
            return b""
        if end - start > 2 * PAGE:
            return self.exactly(start, end)
        if (found := self._found(start, end)) is not None:
            return found
        first, last = start // PAGE, (end - 1) // PAGE
        found = b"".join(self._page(number) for number in range(first, last + 1))
        return found[start - first * PAGE : end - first * PAGE]

    def _page(self, number: int) -> bytes:
        page = self._pages.get(number)
        if page is None:
            count = FRONT // PAGE if number == 0 else self._count(number)
            start = number * PAGE
            read = self._fetch(start, min(start + count * PAGE, self.size))
            self._put(start, read)
            self._next = number + count
            page = read[:PAGE]
        return page

    def _put(self, start: int, read: bytes) -> None:
        """Keep pages; those that came first go."""
        while len(self._pages) + len(read) // PAGE > KEPT and self._pages:
            self._pages.pop(next(iter(self._pages)), None)
        for place in range(0, len(read), PAGE):
            self._pages[(start + place) // PAGE] = read[place : place + PAGE]

    def _count(self, number: int) -> int:
        """Twice as many as before where pages are read one after the other; one anywhere else."""
        self._ahead = min(2 * self._ahead, MOST_AHEAD) if number == self._next else 1
        return self._ahead


_stretches: list[tuple[Pages, Stretch]] = []


def _keep(pages: Pages, stretch: Stretch) -> None:
    """Threads may be here at once: each step is one that Python does whole."""
    _stretches.append((pages, stretch))
    while sum(len(read) for _, (_, read) in _stretches.copy()) > HELD_BYTES and _stretches:
        oldest, dropped = _stretches.pop(0)
        oldest.drop(dropped)


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
