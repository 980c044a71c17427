"""What is checked of a stranger's file before any value is read from it, so that reading it can do no harm.

An HDF5 file can name other files, ask for code to be loaded, and declare more data than a machine holds. None
of that has a place in a shard, so each is refused by what the file declares, without following it.
"""

import re
import stat
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..base.errors import FormatError
from ..remote.opening import size_elsewhere
from .schema import DIMENSIONS, KNOWN_VARIABLES
from .text_heaps import check_heaps

# Variables of the size of the trajectories, which alone may be in chunks; and those that are names.
STATE_VARIABLES = [name for name, variable in KNOWN_VARIABLES.items() if variable.dimensions == DIMENSIONS]
NAME_VARIABLES = [name for name, variable in KNOWN_VARIABLES.items() if variable.dtypes == ("string",)]
# Of one attribute, and of the names of all components.
MAX_TEXT_BYTES = 1 << 20
MAX_LINKS = 2_000
MAX_ATTRIBUTES = 1_000
MAX_COMPONENTS = 10_000
# Rows or bytes of a shard, and the number of its first row: sums over many shards are still integers of 64 bits.
MAX_COUNT = 1 << 42
# trajstore's own chunks have about 1 MiB; one is held whole.
MAX_CHUNK_BYTES = 16 << 20
MAX_CHUNKS = 1 << 20
# A compressed file may unpack to so many times its size, and to so many bytes however small it is.
MAX_UNPACKING = 16
FREE_UNPACKING = 256 << 20
# Of manifest.json and other files of text that are read whole.
MAX_TEXT_FILE_BYTES = 64 << 20
# Of all parts of a manifest together, and of one; of shards of a dataset.
MAX_MANIFEST_BYTES = 512 << 20
MAX_PART_BYTES = 4 << 20
MAX_SHARDS = 500_000
# Of a file's bytes that belong to no variable: texts, headers, indices of chunks, alignment.
MAX_OVERHEAD = 64 << 20
# What a terminal would obey, as it is and as JSON writes it.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
JSON_CONTROL = re.compile(CONTROL.pattern + r"|(?<!\\)(?:\\\\)*\\(?:u00(?:0[0-8b-f]|1[0-9a-f])|[bfr])")

# The order in which they are applied on writing.
FILTERS = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE)
# Kinds of links, as HDF5 numbers them in files.
HARD_LINK = 0
LINKS = {1: "a soft link", 64: "a link to another file"}


class RefusedError(Exception):
    """What a file holds that no shard holds; whoever opened the file adds its path."""


def regular_size(path: Path) -> int:
    """Bytes of a regular file. Raises FormatError if it is anything else, FileNotFoundError if it is missing.

    A link may lead out of the dataset's folder, and a pipe or a device may never end.
    """
    size = size_elsewhere(path)
    if size is not None:
        return size
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise FormatError(
            "is a link; a dataset holds its own files. Put a copy of the file in its place, or open "
            "the file that it leads to",
            path,
        )
    if not stat.S_ISREG(status.st_mode):
        raise FormatError("is no regular file", path)
    return status.st_size


def check_text_file(path: Path) -> None:
    """Raises FormatError if it is no regular file of bounded size, FileNotFoundError if it is missing."""
    size = regular_size(path)
    if size > MAX_TEXT_FILE_BYTES:
        raise FormatError(f"has {size} bytes; at most {MAX_TEXT_FILE_BYTES} are read", path)


def read_text_file(path: Path) -> str:
    """A regular file of bounded size as UTF-8. Raises FormatError, OSError or UnicodeError."""
    check_text_file(path)
    return path.read_text(encoding="utf-8")


def attribute(item: h5py.HLObject, name: str) -> str | int | None:
    """An attribute that is one text or one integer; None if there is none of that name.

    Raises RefusedError for anything else: an array, a text that is too long or no UTF-8, another type.
    """
    if not h5py.h5a.exists(item.id, name.encode()):
        return None
    found = h5py.h5a.open(item.id, name.encode())
    kind = found.get_type()
    if found.get_space().get_simple_extent_type() != h5py.h5s.SCALAR:
        raise RefusedError(f"attribute {name!r} is no single value; expected one text or one integer")
    number, size = kind.get_class() == h5py.h5t.INTEGER, kind.get_size()
    if not (kind.get_class() == h5py.h5t.STRING or (number and size <= 8)):
        raise RefusedError(f"attribute {name!r} has an unexpected type; expected a text or an integer")
    # Of a text of variable length, the size is that of the pointer; it cannot be longer than the file.
    if size > MAX_TEXT_BYTES:
        raise RefusedError(f"attribute {name!r} has {size} bytes, expected at most {MAX_TEXT_BYTES}")
    try:
        read = np.empty((), found.dtype)
        found.read(read)
    except (TypeError, ValueError) as error:
        raise RefusedError(f"attribute {name!r} cannot be read ({error})") from None
    value: Any = read[()]
    if not number:
        return plain_text(value, f"attribute {name!r}")
    if value >= 2**63:
        raise RefusedError(f"attribute {name!r} is {value}, expected an integer of 64 bits with a sign")
    return int(value)


def plain_text(value: str | bytes, what: str) -> str:
    """UTF-8 of bounded length and without control characters. Raises RefusedError for any other text."""
    try:
        coded = value.encode() if isinstance(value, str) else value
        text = coded.decode()
    except UnicodeError:
        raise RefusedError(f"{what} is no UTF-8") from None
    if len(coded) > MAX_TEXT_BYTES:
        raise RefusedError(f"{what} has {len(coded)} bytes, expected at most {MAX_TEXT_BYTES}")
    if CONTROL.search(text):
        raise RefusedError(f"{what} holds control characters")
    return text


def check_declared(file: h5py.File, size: int) -> None:
    """Raise RefusedError if a file of that size declares what no shard needs. No value is read for it."""
    if file.userblock_size:
        raise RefusedError(f"begins with {file.userblock_size} bytes that are no HDF5")
    _check_attribute_names(file)
    payloads: list[tuple[int, int]] = []
    for name in _link_names(file):
        item = file[name]
        if isinstance(item, h5py.Dataset):
            payloads += _check_dataset(item.id, name, size)
    declared = sum(stored for _, stored in payloads)
    if declared > size:
        raise RefusedError(f"its variables declare {declared} bytes, but the file has {size}: they overlap")
    if size - declared > MAX_OVERHEAD:
        raise RefusedError(
            f"has {size - declared} bytes that belong to no variable, expected at most {MAX_OVERHEAD}"
        )
    check_heaps(Path(file.filename), size, payloads)


def _check_attribute_names(file: h5py.File) -> None:
    if h5py.h5a.get_num_attrs(file.id) > MAX_ATTRIBUTES:
        raise RefusedError(f"has more than {MAX_ATTRIBUTES} attributes")
    names: list[bytes] = []
    h5py.h5a.iterate(file.id, names.append)
    if len(set(names)) < len(names):
        raise RefusedError(f"attribute {max(names, key=names.count).decode()!r} is there twice")


def _link_names(file: h5py.File) -> list[str]:
    """Names of the root group's links, all of them hard: those of other kinds can lead anywhere."""
    if len(file) > MAX_LINKS:
        raise RefusedError(f"has more than {MAX_LINKS} variables")
    links: list[tuple[bytes, int]] = []
    file.id.links.iterate(lambda name, link: links.append((name, link.type)), info=True)
    names = [plain_text(name, f"the name {name!r:.80}") for name, _ in links]
    if len(set(names)) < len(names):
        raise RefusedError(f"variable {max(names, key=names.count)!r} is there twice")
    for name, (_, kind) in zip(names, links, strict=True):
        if kind != HARD_LINK:
            raise RefusedError(f"{name!r} is {LINKS.get(kind, 'a link of an unknown kind')}, no variable")
    return names


def _check_dataset(dataset: h5py.h5d.DatasetID, name: str, size: int) -> list[tuple[int, int]]:
    """Offsets and sizes of the parts of the file that a variable occupies by its own account.

    Raises RefusedError.
    """
    # Before anything else: to ask a virtual dataset for its shape can open the files that it names.
    made = dataset.get_create_plist()
    layout = made.get_layout()
    if layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise RefusedError(f"variable {name!r} lies in other files, or is not contiguous")
    if made.get_external_count():
        raise RefusedError(f"variable {name!r} lies in another file")
    shape, itemsize = dataset.shape, dataset.get_type().get_size()
    needed = prod(shape) * itemsize if shape is not None else 0
    if name in NAME_VARIABLES and shape is not None and prod(shape) > MAX_COMPONENTS:
        raise RefusedError(f"variable {name!r} has shape {shape}; at most {MAX_COMPONENTS} are read")
    if layout == h5py.h5d.CHUNKED:
        if name not in STATE_VARIABLES:
            raise RefusedError(
                f"variable {name!r} is chunked or compressed; only {', '.join(STATE_VARIABLES)} may be"
            )
        _check_chunks(made, name, shape, itemsize, size)
        parts: list[tuple[int, int]] = []
        if needed:
            dataset.chunk_iter(lambda chunk: parts.append((chunk.byte_offset, chunk.size)))
        if any(offset is None or offset + stored > size for offset, stored in parts):
            raise RefusedError(f"variable {name!r} has chunks beyond the file's {size} bytes: truncated")
        return parts
    offset = dataset.get_offset()
    if needed and (offset is None or offset + needed > size):
        raise RefusedError(
            f"variable {name!r} of shape {shape} needs {needed} bytes, which the file does not hold: truncated, "
            "or never written"
        )
    return [(offset, needed)] if needed else []


def _check_chunks(
    made: h5py.h5p.PropDCID, name: str, shape: tuple[int, ...] | None, itemsize: int, size: int
) -> None:
    filters = [made.get_filter(index) for index in range(made.get_nfilters())]
    codes = tuple(code for code, *_ in filters)
    if codes not in ((), FILTERS, FILTERS[:1], FILTERS[1:]):
        raise RefusedError(
            f"variable {name!r} has the filters {codes}; expected shuffle {FILTERS[0]}, then deflate {FILTERS[1]}"
        )
    for code, _, options, _ in filters:
        if code == h5py.h5z.FILTER_SHUFFLE and options[:1] != (itemsize,):
            raise RefusedError(f"variable {name!r} is shuffled by {options}, expected its {itemsize} bytes")
    chunk = made.get_chunk()
    if shape is None or len(chunk) != len(shape) or prod(chunk) * itemsize > MAX_CHUNK_BYTES:
        raise RefusedError(
            f"variable {name!r} has chunks of {chunk}; expected at most {MAX_CHUNK_BYTES} bytes"
        )
    chunks = prod(-(-length // step) for length, step in zip(shape, chunk, strict=True))
    if chunks > MAX_CHUNKS:
        raise RefusedError(f"variable {name!r} has {chunks} chunks, expected at most {MAX_CHUNKS}")
    unpacked, allowed = prod(shape) * itemsize, MAX_UNPACKING * size + FREE_UNPACKING
    if unpacked > allowed:
        raise RefusedError(
            f"variable {name!r} of shape {shape} unpacks to {unpacked} bytes; a file of {size} may unpack to "
            f"{allowed}: {MAX_UNPACKING} times its size and {FREE_UNPACKING >> 20} MiB"
        )
