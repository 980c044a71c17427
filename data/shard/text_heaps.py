"""The heaps in which HDF5 keeps texts: one whose objects do not advance hangs the library for ever."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from ..base.errors import AGAIN, FormatError
from ..remote.opening import is_here, open_bytes

# With the version; three bytes of anything follow. In files of later versions of the format they lie at any offset.
SIGNATURE, BEFORE_SIZE = b"GCOL\x01", 8
HEADER_BYTES = 16
ALIGNMENT = 8
BLOCK_BYTES = 1 << 20
# No heap has fewer bytes; the library refuses one that says so.
LEAST_BYTES = 4096


def check_heaps(path: Path, total: int, payloads: Collection[tuple[int, int]]) -> None:
    """Raise FormatError if a heap of the file would hang the HDF5 library (up to 2.0 at least), or heaps overlap.

    total     bytes of the file
    payloads  (offset, bytes) of the stored values, which are not searched: a file that was damaged is found, one
              that was made with care to hide a heap in its values is not
    """
    # Each heap and each object has a header of its own: a search that visits more of them meets some twice.
    # Of a file elsewhere each stretch is a request: those that no heap fits into are left out. One that was made with
    # care to begin there, and to go on in the values, is not found, as within these.
    least = 1 if is_here(path) else LEAST_BYTES
    left = (total - sum(size for _, size in payloads)) // HEADER_BYTES
    with open_bytes(path) as file:
        begin = 0
        for offset, size in [*sorted(payloads), (total, 0)]:
            for heap in _find(file, begin, offset) if offset - begin >= least else ():
                left -= _visited(file, heap, left)
                if left < 0:
                    raise FormatError(f"is damaged: its texts cannot be read. {AGAIN}", path)
            begin = max(begin, offset + size)


def _find(file: BinaryIO, begin: int, end: int) -> Iterable[int]:
    """Offsets of the heaps that begin in a part of the file."""
    # Blocks overlap by a signature that may lie across their border.
    for first in range(begin, end, BLOCK_BYTES):
        file.seek(first)
        block = file.read(min(BLOCK_BYTES + len(SIGNATURE) - 1, end - first))
        at = block.find(SIGNATURE)
        while at >= 0:
            yield first + at
            at = block.find(SIGNATURE, at + 1)


def _visited(file: BinaryIO, heap: int, limit: int) -> int:
    """Headers of the heap and of its objects; `limit` + 1 if there are more.

    An object that does not end behind its beginning, as the library reckons in 64 bits, comes again without end.
    """
    file.seek(heap + BEFORE_SIZE)
    end = heap + int.from_bytes(file.read(8), "little")
    at = heap + HEADER_BYTES
    for count in range(1, limit + 1):
        file.seek(at)
        header = file.read(HEADER_BYTES)
        if at + HEADER_BYTES > end or len(header) < HEADER_BYTES:
            return count
        size = int.from_bytes(header[8:], "little")
        # Number 0 is the room that is left, whose size counts its own header.
        numbered = header[:2] != b"\0\0"
        step = (HEADER_BYTES + -(-size // ALIGNMENT) * ALIGNMENT if numbered else size) % 2**64
        if step == 0 or step >= 2**63:
            break
        at += step
    return limit + 1
