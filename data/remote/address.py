"""Addresses of datasets that lie elsewhere, and how they are shown: without passwords and keys."""

import re
from pathlib import Path

from ..base.errors import TrajstoreError

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


class NotThereError(TrajstoreError):
    """The server, or the folder, has no such file."""


def scheme_of(path: str | Path) -> str | None:
    """The scheme of an address, in small letters; None of a path."""
    found = ADDRESS.match(path) if isinstance(path, str) else None
    return found.group(1).lower() if found else None


def hide(url: str) -> str:
    """A URL without the parts that may hold passwords and keys."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+://)(?:[^/?#]*@)?([^?#]*)", url)
    return plain("".join(found.groups()) if found else url)


def plain(text: str) -> str:
    """What a server says, fit for a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:300])
