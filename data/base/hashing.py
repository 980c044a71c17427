"""Two hashes: of a file's bytes, for transport; of its variables, for reproducibility."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def file_hash(path: Path) -> str:
    """SHA-256 of a file, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_right(path: Path, digest: str, size: int | None = None) -> bool:
    """Is there a file, itself and no link, of this SHA-256?"""
    return (
        path.is_file()
        and not path.is_symlink()
        and size in (None, path.stat().st_size)
        and file_hash(path) == digest
    )


def content_hash(variables: Mapping[str, np.ndarray | Sequence[str]]) -> str:
    """SHA-256 over names, dtypes, shapes and little-endian bytes, in the order of the names.

    Strings count as UTF-8, each ended by a zero byte. Whatever else a file holds (attributes, padding,
    chunking, compression) does not count, so two files with equal numbers have equal content hashes.
    """
    digest = hashlib.sha256()
    for name in sorted(variables):
        values = variables[name]
        if isinstance(values, np.ndarray):
            array = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
            dtype, shape, payload = array.dtype.str, array.shape, array.reshape(-1).view(np.uint8).data
        else:
            payload = b"".join(value.encode() + b"\0" for value in values)
            dtype, shape = "string", (len(values),)
        digest.update(f"{name}\0{dtype}\0{','.join(map(str, shape))}\0".encode())
        digest.update(payload)
    return digest.hexdigest()


def array_hash(values: np.ndarray) -> str:
    """SHA-256 of the little-endian bytes of an array."""
    array = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return hashlib.sha256(array.data).hexdigest()


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN, shortest floats that round-trip."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def json_hash(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return text_hash(canonical_json(value))


def text_hash(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()
