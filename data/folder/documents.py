"""The documents beside a dataset's numbers, as files: what may be read of them, and their hashes."""

from pathlib import Path

from ..base.errors import FormatError
from ..base.hashing import file_hash
from ..shard.limits import check_text_file
from .names import DOCUMENTS


def document_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each document that the folder holds, as far as it may be read."""
    paths = [folder / name for name in DOCUMENTS]
    return {path.name: file_hash(path) for path in paths if document_problem(path) is None and path.exists()}


def document_problem(path: Path) -> str | None:
    """Why a document may not be read, in a line; None if it may be, or is not there."""
    try:
        check_text_file(path)
    except FileNotFoundError:
        return None
    except FormatError as error:
        return error.text
    return None
