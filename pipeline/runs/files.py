"""The files of a run, which may be a stranger's: written whole, and held to limits before they are read."""

import io
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...data.base.errors import TrajstoreError
from ...data.base.files import atomic_path, reason
from ...data.shard.limits import MAX_TEXT_FILE_BYTES

MAX_ARRAYS_BYTES = 1 << 30
MAX_MEMBERS = 100_000


class RunError(TrajstoreError):
    """A folder that is no run, or not in the condition that a command needs."""


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; the file is whole or the old one stays."""
    # Not straight to the file: torch does not say why a disk refuses.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it can run code, or unpack to more than the file has.

    Raises RunError if it cannot be read.
    """
    try:
        _check_archive(path, _regular_size(path), packed=False)
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict):
            raise ValueError(f"holds a {type(content).__name__}")
    except FileNotFoundError:
        raise RunError(f"{path}: missing; train first, or again with --resume") from None
    except PermissionError as error:
        raise RunError(reason(error)) from None
    # A damaged pickle can fail in any way at all.
    except Exception as error:
        said = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise RunError(f"{path}: cannot be read as a checkpoint ({said}); train again") from None
    return content


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file. Raises OSError or ValueError if it cannot be read, or is too large."""
    _regular_size(path)
    try:
        _check_archive(path, MAX_ARRAYS_BYTES, packed=True)
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (zipfile.BadZipFile, zlib.error, MemoryError, NotImplementedError) as error:
        raise ValueError(str(error) or "no memory for its arrays") from None


def _check_archive(path: Path, limit: int, *, packed: bool) -> None:
    """Raise ValueError if the members of a zip archive have more bytes than that, or are packed but must not be."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or unpacked > limit:
        raise ValueError(f"it unpacks to {len(members)} members of {unpacked} bytes, allowed are {limit}")
    if not packed and any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed, which no checkpoint is")


def _regular_size(path: Path) -> int:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path.name} is no regular file")
    return status.st_size


def read_text(path: Path) -> str:
    """Of a regular file of at most some MB. Raises OSError or ValueError."""
    if _regular_size(path) > MAX_TEXT_FILE_BYTES:
        raise ValueError(f"{path.name} has more than {MAX_TEXT_FILE_BYTES} bytes")
    return path.read_text(encoding="utf-8")
