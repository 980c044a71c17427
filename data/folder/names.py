"""The files of a dataset's folder by their names: which are its own, and what may lie beside them."""

import re
from collections.abc import Callable, Collection
from pathlib import Path

from ..base.errors import TrajstoreError
from ..base.files import LOCK, final_name
from ..shard.schema import SHARD_NAME
from .bystanders import is_bystander
from .manifest_parts import PART_NAME

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
# What tells people and programs about the dataset. SHA256SUMS lists them, the id does not depend on them.
DOCUMENTS = ("README.md", "croissant.json")


def is_shard(name: str) -> bool:
    """Is it the name of a shard?"""
    return re.fullmatch(SHARD_NAME, name) is not None


def is_manifest_part(name: str) -> bool:
    """Is it the name of a part of a manifest?"""
    return re.fullmatch(PART_NAME, name) is not None


def is_part(name: str) -> bool:
    """Is it the name of a file of a dataset?"""
    return name in (MANIFEST, CHECKSUMS, *DOCUMENTS) or is_manifest_part(name) or is_shard(name)


def holds_dataset(path: Path) -> bool:
    """Is it the folder of a dataset, perhaps of one that has lost its manifest?"""
    return (path / MANIFEST).is_file() or (
        path.is_dir() and any(is_shard(each.name) for each in path.iterdir())
    )


def parts_in(folder: Path, is_ours: Callable[[Path], bool], own: Collection[str] = (LOCK,)) -> list[Path]:
    """A dataset's files that a folder holds, whole or on their way, by name.

    is_ours  may this document be replaced?
    own      names of what else lies there while somebody works in it

    Raises TrajstoreError if the folder holds anything else, but for what file managers and the like lay there.
    """
    parts = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if is_bystander(path.name) or (path.name in own and not path.is_symlink()):
            continue
        if path.name in DOCUMENTS and not is_ours(path):
            raise TrajstoreError(
                f"{folder}: holds a {path.name} that trajstore did not write, which is no part of a dataset; choose "
                "an empty or new folder, or move it away"
            )
        if not is_part(final_name(path.name)) or (path.is_dir() and not path.is_symlink()):
            raise TrajstoreError(
                f"{folder}: holds {path.name}, which is no part of a dataset; choose an empty or new "
                "folder, or move it away"
            )
        parts.append(path)
    return parts
