"""Files that are either whole or absent: temporary name, fsync, rename, fsync of the folder."""

import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .shortage import system_error

# Held by the process that works in a folder.
LOCK = ".lock"
# What the system means by "File exists" and the like.
KINDS = {
    FileExistsError: "is there, and no folder; expected a folder",
    NotADirectoryError: "a part of the path is a file; expected a folder",
    IsADirectoryError: "is a folder; expected a file",
}
TEMPORARY = re.compile(r"(.+?)(\.\d+)?\.part")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on any error it is removed.

    The temporary file lies in the same folder, so that the rename cannot cross a file system. A crash
    leaves at most `NAME.NUMBER.part` behind, which `remove_leftovers` clears away. What the system refuses is an
    OSError that names `path`, however the library says it that met it.
    """
    temporary = temporary_path(path)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        number = system_error(error)
        # What is said of another file, read or written meanwhile, is no fault of this one.
        if number is None or getattr(error, "filename", None) not in (None, str(temporary), temporary):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error
    sync(path.parent)


def temporary_path(path: Path) -> Path:
    """A name beside `path` that no other process or thread has, on whatever machine that shares the folder."""
    return path.with_name(f"{path.name}.{secrets.randbits(64)}.part")


def reason(error: OSError) -> str:
    """Of which file the system said what, in one line."""
    said = KINDS.get(type(error)) or error.strerror or str(error)
    return f"{error.filename}: {said}" if error.filename else said


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Replace `path` by `text` (UTF-8) atomically; `errors`: what becomes of what UTF-8 lacks, as in `str.encode`."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=errors, newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by a value's JSON atomically; numbers that are not finite, which JSON lacks, are null.

    A text may be the name of a folder, which can hold bytes that are no UTF-8: Python's sign for one (PEP 383) is
    written as JSON's escape, and read back as the same name.
    """
    text = json.dumps(finite(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text, errors="backslashreplace")


def finite(value: Any) -> Any:
    """The same value with None in place of every number that is not finite."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def remove_leftovers(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Remove the temporary files that a killed process left of files whose names are ours."""
    for leftover in folder.glob("*.part"):
        if is_ours(final_name(leftover.name)):
            leftover.unlink(missing_ok=True)


def final_name(name: str) -> str:
    """The name that a temporary file was to take; of any other file its own."""
    found = TEMPORARY.fullmatch(name)
    return found.group(1) if found else name


def has_size(path: Path, size: int) -> bool:
    """Is there a file, or a link to one, of so many bytes?"""
    return path.is_file() and path.stat().st_size == size


def sync(path: Path) -> None:
    """Force a file, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
