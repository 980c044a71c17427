"""The heaps in which HDF5 keeps texts: one whose objects do not advance hangs the library for ever."""

import mmap
from collections.abc import Iterable
from pathlib import Path

from .errors import FormatError

# With the version, and three bytes of nothing.
SIGNATURE = b"GCOL\x01\0\0\0"
HEADER_BYTES = 16
ALIGNMENT = 8


def check_heaps(path: Path, payloads: Iterable[tuple[int, int]]) -> None:
    """Raise FormatError if a heap of the file would hang the HDF5 library (up to 2.0 at least).

    payloads  (offset, bytes) of the stored values, which are not searched: a file that was damaged is found, one
              that was made with care to hide a heap in its values is not
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        begin = 0
        for offset, size in [*sorted(payloads), (len(content), 0)]:
            _check_between(path, content, begin, offset)
            begin = max(begin, offset + size)


def _check_between(path: Path, content: mmap.mmap, begin: int, end: int) -> None:
    at = content.find(SIGNATURE, begin, end)
    while at >= 0:
        if at % ALIGNMENT == 0 and not _advances(content, at):
            raise FormatError(
                f"{path}: is damaged: its texts cannot be read. Fetch it again, or generate it again with the same "
                "config."
            )
        at = content.find(SIGNATURE, at + 1, end)


def _advances(content: mmap.mmap, heap: int) -> bool:
    """Does each object of the heap end behind its beginning, as the library reckons in 64 bits?"""
    end = min(len(content), heap + int.from_bytes(content[heap + 8 : heap + 16], "little"))
    at = heap + HEADER_BYTES
    while at + HEADER_BYTES <= end:
        number = int.from_bytes(content[at : at + 2], "little")
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        # Number 0 is the room that is left, whose size counts its own header.
        step = (HEADER_BYTES + -(-size // ALIGNMENT) * ALIGNMENT if number else size) % 2**64
        if step == 0 or step >= 2**63:
            return False
        at += step
    return True
