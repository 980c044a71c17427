"""The one place where a file's bytes are opened, whether it lies here or elsewhere."""

import io
from pathlib import Path
from typing import BinaryIO, cast

from .mirrors import elsewhere, mirror_of, pages_of
from .pages import PagedFile


def is_here(path: Path) -> bool:
    """Whether a path is that of a file here, and does not stand for one that lies elsewhere."""
    return elsewhere(path) is None


def shown(path: Path) -> Path | str:
    """The path of a file or of a dataset's folder for people: of one that lies elsewhere its address."""
    if (whole := mirror_of(path)) is not None:
        return whole.place.shown().removesuffix("/")
    mirror = elsewhere(path)
    return path if mirror is None else mirror.address(path.name)


def size_elsewhere(path: Path) -> int | None:
    """Bytes that a file elsewhere is to have; None of one that is here."""
    mirror = elsewhere(path)
    return None if mirror is None else mirror.files[path.name].size


def content_elsewhere(path: Path) -> str | None:
    """The hash of the content that a file elsewhere is to have; None of one that is here."""
    mirror = elsewhere(path)
    return None if mirror is None else mirror.files[path.name].content


def open_bytes(path: Path) -> BinaryIO:
    """A file, open for reading its bytes; of one that lies elsewhere, only those that are read come."""
    mirror = elsewhere(path)
    if mirror is None:
        return path.open("rb")
    return cast(BinaryIO, cast(io.RawIOBase, PagedFile(pages_of(path, mirror))))


def read_elsewhere(path: Path, start: int, end: int) -> bytes:
    """Exactly these bytes of a file elsewhere."""
    mirror = elsewhere(path)
    if mirror is None:
        raise ValueError(f"{path} is here")
    return pages_of(path, mirror).exactly(start, end)


def bring_ends(path: Path) -> None:
    """Of a file elsewhere, what opening it takes, in one go."""
    mirror = elsewhere(path)
    if mirror is not None:
        pages_of(path, mirror).bring_ends()


def hold(path: Path, start: int = 0, end: int | None = None) -> None:
    """Bytes of a file elsewhere by one request, from which those who read them next are served; at first all.

    Raises FormatError if all came, and they have not the SHA-256 that the manifest says.
    """
    mirror = elsewhere(path)
    if mirror is not None:
        pages = pages_of(path, mirror)
        pages.hold(start, pages.size if end is None else end)
