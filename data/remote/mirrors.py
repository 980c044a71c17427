"""Folders of the cache that stand for folders elsewhere: their files are here once they came whole, and right.

A path in such a folder names a file wherever it is; `opening` reads it, from here or from there. A process knows the
mirrors that it made, or was handed.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

from ..base.errors import FormatError
from ..base.files import has_size, sync
from ..base.hashing import is_right
from .pages import Pages
from .places import Place

# Bytes of a whole file that are asked for at once.
STEP = 8 << 20
# Files of which some pages are kept.
MOST_OPEN = 256


@dataclass(frozen=True)
class Expected:
    """What the manifest says of a file: its size in bytes, the SHA-256 of these, and the hash of its content."""

    size: int
    sha256: str
    content: str


@dataclass(frozen=True)
class Mirror:
    """A folder here, the place that it stands for, and what its files are expected to be."""

    folder: Path
    place: Place
    files: Mapping[str, Expected]

    def address(self, name: str) -> str:
        return self.place.shown(name)

    def pages(self, name: str) -> Pages:
        """A file's bytes, where it lies. What comes as a whole must have the SHA-256 that the manifest says."""
        expected = self.files[name]

        def fetch(start: int, end: int) -> bytes:
            read = self.place.read(name, start, end, expected.size)
            if len(read) == expected.size and sha256(read).hexdigest() != expected.sha256:
                raise FormatError(
                    "holds other numbers than the manifest says, or other attributes: it was changed since, or "
                    "damaged; ask who shares it",
                    self.address(name),
                )
            return read

        return Pages(expected.size, fetch)


_mirrors: dict[Path, Mirror] = {}
_pages: OrderedDict[Path, Pages] = OrderedDict()


def register(mirror: Mirror) -> None:
    """From now on, paths in the mirror's folder stand for the files elsewhere."""
    _mirrors[mirror.folder] = mirror
    for path in [path for path in _pages if path.parent == mirror.folder]:
        del _pages[path]


def mirror_of(path: Path) -> Mirror | None:
    """The mirror that a folder is; None of any other."""
    return _mirrors.get(path)


def elsewhere(path: Path) -> Mirror | None:
    """The mirror of a file that is not here, but elsewhere."""
    if not _mirrors:
        return None
    mirror = _mirrors.get(path.parent)
    return mirror if mirror is not None and path.name in mirror.files and not path.exists() else None


def pages_of(path: Path, mirror: Mirror) -> Pages:
    """The pages of a file elsewhere; those of the files that were read last are kept."""
    pages = _pages.get(path)
    if pages is None:
        while len(_pages) >= MOST_OPEN:
            _pages.popitem(last=False)
        # Of threads that come at once, all get the same.
        pages = _pages.setdefault(path, mirror.pages(path.name))
    return pages


def bring(path: Path, *, again: bool = False) -> Path:
    """The same path, once the file that it stands for is here as a whole; any other path is left alone.

    again  look at a file that is here already, whether it is still right

    What came of it in part is kept, and gone on with. Raises FormatError if it is not what the manifest lists.
    """
    mirror = _mirrors.get(path.parent)
    expected = mirror.files.get(path.name) if mirror is not None else None
    if mirror is None or expected is None:
        return path
    if is_right(path, expected.sha256, expected.size) if again else has_size(path, expected.size):
        return path
    work = mirror.folder.parent / "partial"
    work.mkdir(exist_ok=True)
    partial = work / f"{expected.sha256}.part"
    with FileLock(work / f"{expected.sha256}.lock"):
        if is_right(path, expected.sha256, expected.size):
            return path
        for last in (False, True):
            resumed = _fill(partial, mirror, path.name)
            if is_right(partial, expected.sha256, expected.size):
                break
            partial.unlink()
            # One put together from parts has a second chance.
            if last or not resumed:
                raise FormatError(
                    "has the size but not the SHA-256 that the manifest says: it was changed or damaged; ask who "
                    "shares it",
                    mirror.address(path.name),
                )
        sync(partial)
        partial.replace(path)
    return path


def _fill(partial: Path, mirror: Mirror, name: str) -> bool:
    """Go on with a file that came in part; was there any of it before?"""
    size = mirror.files[name].size
    with partial.open("ab", buffering=0) as file:
        before = file.tell()
        for start in range(before, size, STEP):
            file.write(mirror.place.read(name, start, min(start + STEP, size), size))
    return bool(before)
