"""The arrays of a MATLAB file of version 5 to 7.2; later ones are HDF5.

SciPy's reader can crash on a damaged file. Plain arrays, which are all that is read here, are a short piece of the
format: elements of a type, a size and that many bytes, of which an array is one that holds others, perhaps packed.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from ....data.base.errors import DataError
from ....data.shard.limits import FREE_UNPACKING, MAX_LINKS, MAX_UNPACKING
from .variables import Variable

HEADER = 128
MATRIX, COMPRESSED = 14, 15
# Types of elements, and classes of arrays, by their numbers in the format.
TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", 16: "u1", 17: "u2",
    18: "u4",
}  # fmt: skip
CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
CELL, STRUCT, CHARACTERS = 1, 2, 4
# What is named, but not read, and what to do about it.
FIELDS = "save its fields as variables of their own, as in save('data.mat', '-struct', NAME)"
UNREAD = {
    STRUCT: ("a struct", FIELDS),
    3: ("an object", "save what it holds as arrays"),
    5: ("a sparse matrix", "save it with full()"),
    16: ("a function", "save what it gives as arrays"),
}
IMAGINARY, LOGICAL = 0x0800, 0x0200
# Flags, dimensions and name stand in the first bytes of an array; MATLAB's names have 63 letters.
HEAD = 4096
MAX_DIMENSIONS = 32


@dataclass(frozen=True)
class _Array:
    """The beginning of an array, and where its numbers begin."""

    name: str
    kind: int
    flags: int
    shape: tuple[int, ...]
    start: int


def matlab_variables(path: Path) -> dict[str, Variable]:
    """Arrays, texts and cells of texts, as MATLAB shows them.

    Reading one raises DataError if it unpacks to more than a file of this size may, is damaged, or is of a kind that
    is not read: a struct, an object, a sparse matrix. Raises DataError if there is nothing else.
    """
    content = path.read_bytes()
    order = "<" if content[126:128] == b"IM" else ">"
    allowed = MAX_UNPACKING * len(content) + FREE_UNPACKING
    found: dict[str, Variable] = {}
    unread: dict[str, int] = {}
    for kind, payload in _elements(content, HEADER, order, path):
        head = _unpacked(path, payload, HEAD) if kind == COMPRESSED else payload[:HEAD]
        array = _beginning(path, head, order, packed=kind == COMPRESSED)
        if array is None or array.kind not in (*CLASSES, CELL, CHARACTERS, *UNREAD):
            continue
        if array.kind in UNREAD:
            unread[array.name] = array.kind
        if len(found) == MAX_LINKS:
            raise DataError(f"{path}: has more than {MAX_LINKS} variables")
        found[array.name] = Variable(
            lambda array=array, kind=kind, payload=payload: _read(path, array, kind, payload, order, allowed)
        )
    if unread and len(unread) == len(found):
        name, kind = next(iter(unread.items()))
        raise _unread(path, name, kind)
    return found


def _unread(path: Path, name: str, kind: int) -> DataError:
    what, mend = UNREAD[kind]
    return DataError(f"{path}: {name} is {what}, which is not read; {mend}")


def _elements(content: bytes, place: int, order: str, path: Path) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each element, one after the other. Raises DataError if one goes beyond the end."""
    while place + 8 <= len(content):
        (first,) = struct.unpack_from(f"{order}I", content, place)
        if first >> 16:
            # A small one has its type and size in one word, and its bytes in the next.
            kind, size, place, room = first & 0xFFFF, first >> 16, place + 4, 4
        else:
            kind, size = struct.unpack_from(f"{order}II", content, place)
            place += 8
            room = size if kind == COMPRESSED else -(-size // 8) * 8
        if place + size > len(content) and kind != MATRIX:
            raise DataError(f"{path}: is damaged: {size} bytes are to follow at {place} of {len(content)}")
        yield kind, content[place : place + size]
        place += room


def _unpacked(path: Path, packed: bytes, limit: int) -> bytes:
    """At most so many bytes of what is packed."""
    try:
        return zlib.decompressobj().decompress(packed, limit)
    except zlib.error as error:
        raise DataError(f"{path}: is damaged ({error})") from None


def _beginning(path: Path, head: bytes, order: str, *, packed: bool) -> _Array | None:
    """What an array says before its numbers; None for an element that is no array."""
    start = 0
    if packed:
        # In the packed bytes lies the whole element, with its type and size.
        if len(head) < 8 or struct.unpack_from(f"{order}I", head)[0] != MATRIX:
            return None
        start = 8
    parts: list[bytes] = []
    for _, part in _elements(head, start, order, path):
        parts.append(part)
        if len(parts) == 3:
            break
    if (
        len(parts) < 3
        or len(parts[0]) != 8
        or not 0 < len(parts[1]) <= 4 * MAX_DIMENSIONS
        or len(parts[1]) % 4
    ):
        return None
    (flags,) = struct.unpack_from(f"{order}I", parts[0])
    shape = struct.unpack(f"{order}{len(parts[1]) // 4}i", parts[1])
    if min(shape) < 0:
        raise DataError(f"{path}: is damaged: an array has the shape {shape}")
    begin = start
    for part in parts:
        # A small element has four bytes before it and room for four, any other eight before it.
        (first,) = struct.unpack_from(f"{order}I", head, begin)
        begin += 8 if first >> 16 else 8 + -(-len(part) // 8) * 8
    name = parts[2].rstrip(b"\0").decode("utf-8", errors="replace")
    return _Array(name, flags & 0xFF, flags, shape, begin)


def _read(path: Path, array: _Array, kind: int, payload: bytes, order: str, allowed: int) -> np.ndarray:
    if array.kind in UNREAD:
        raise _unread(path, array.name, array.kind)
    content = _unpacked(path, payload, allowed + 1) if kind == COMPRESSED else payload
    if len(content) > allowed:
        raise DataError(f"{path}: {array.name} unpacks to too many bytes for a file of its size")
    if array.flags & IMAGINARY:
        raise DataError(f"{path}: {array.name} holds complex numbers; make two components of them")
    if array.kind == CELL:
        return _texts(path, content, array, order)
    return _values(path, content, array, order)


def _texts(path: Path, content: bytes, array: _Array, order: str) -> np.ndarray:
    """The texts of a cell array; an empty array if something else is among them."""
    texts: list[str] = []
    for kind, payload in _elements(content, array.start, order, path):
        text = _beginning(path, payload, order, packed=False) if kind == MATRIX else None
        if text is None or text.kind != CHARACTERS or len(texts) == MAX_LINKS:
            return np.empty(0)
        texts.append("".join(_values(path, payload, text, order).tolist()))
    return np.array(texts)


def _values(path: Path, content: bytes, array: _Array, order: str) -> np.ndarray:
    stored, numbers = next(_elements(content, array.start, order, path), (0, b""))
    if stored not in TYPES or len(numbers) != prod(array.shape) * np.dtype(TYPES[stored]).itemsize:
        raise DataError(f"{path}: {array.name} is damaged, or not of shape {array.shape}")
    values = np.frombuffer(numbers, np.dtype(order + TYPES[stored])).reshape(array.shape, order="F")
    if array.kind == CHARACTERS:
        rows = values.reshape(-1, values.shape[-1]) if values.size else values[:0]
        return np.array(["".join(map(chr, row)).strip() for row in rows.tolist()])
    values = values.astype(bool if array.flags & LOGICAL else CLASSES[array.kind])
    # MATLAB knows no arrays of one dimension.
    return values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values
