"""A dataset on its way to an archive, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ....data.folder.manifest import Manifest


@dataclass(frozen=True)
class Parcel:
    """A sound dataset on its way to an archive.

    files    its own files in the order in which they go, the manifest last; what else lies in the folder stays
    license, creator  as asked for, else as the dataset says; empty where neither says any
    draft    stop before what cannot be taken back
    advance  is called after each file
    """

    folder: Path
    manifest: Manifest
    files: list[str]
    license: str
    creator: str
    draft: bool
    advance: Callable[[], None]


@dataclass(frozen=True)
class Published:
    """What came of it.

    cite  what to cite, and to fetch it by: a DOI, or an address on the Hub with its commit
    page  where people see it
    sent  how many files were sent; the others were there
    """

    cite: str
    page: str
    files: int
    sent: int
    manifest: Manifest
