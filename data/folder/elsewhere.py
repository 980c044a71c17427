"""A dataset's folder holds a dataset and nothing else: whatever else is written goes elsewhere."""

import os
from pathlib import Path

from ..base.errors import TrajstoreError
from .names import MANIFEST

# With which a manifest of ours begins; others' programs have files of this name, too.
OURS, BEGINNING = b'"trajstore"', 200


def refuse_dataset(
    path: Path, name: Path | None = None, *, error: type[TrajstoreError] = TrajstoreError
) -> None:
    """Raise `error` if a folder that is to be written to is a dataset's, or lies in one, at whatever depth.

    name  what messages call it, where that is not its path
    """
    if (path / MANIFEST).is_file():
        raise error(
            f"{name or path}: holds a dataset, beside which nothing else may lie; choose another folder"
        )
    refuse_inside(path, name, error=error)


def refuse_inside(
    path: Path, name: Path | None = None, *, error: type[TrajstoreError] = TrajstoreError
) -> None:
    """The same of a file, or of the folder of a dataset, which may not lie in another one's."""
    where = Path(os.path.realpath(path))
    near = (path.absolute().parent, where.parent)
    if any((folder / MANIFEST).is_file() for folder in near) or any(map(_is_ours, where.parents)):
        raise error(f"{name or path}: lies in a dataset, which holds nothing else; choose another folder")


def _is_ours(folder: Path) -> bool:
    """Has it a manifest that begins as ours do? Far above, there may be one of another program."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            return OURS in file.read(BEGINNING)
    except OSError:
        return False
