"""Addresses of datasets that lie elsewhere, and how they are shown: without passwords and keys."""

import re
from pathlib import Path

from ..base.errors import TrajstoreError

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")

# How a DOI begins, with its scheme or without.
DOI = re.compile(r"doi:|(?=10\.[0-9]{4,9}/zenodo\.)", re.IGNORECASE)
# The page of a record on Zenodo, or its DOI as a link.
RECORD = re.compile(r"https?://(?:[^/]+/records?/[0-9]|(?:dx\.)?doi\.org/)", re.IGNORECASE)
# What a browser takes for a server: this machine, or four numbers; a name with dots, before a slash or with a port.
HOST = re.compile(
    r"(?:(?P<here>localhost|[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?::[0-9]+)?|[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}(?::[0-9]+|(?=/)))"
    r"(?:/|$)"
)


class NotThereError(TrajstoreError):
    """The server, or the folder, has no such file."""


def scheme_of(path: str | Path) -> str | None:
    """The scheme of an address, in small letters; None of a path."""
    found = ADDRESS.match(path) if isinstance(path, str) else None
    return found.group(1).lower() if found else None


def meant(path: str | Path) -> str:
    """What to say of a path that is not there and reads as an address does, or as a record's page; "" of any other.

    Begins with a semicolon, as the end of a message.
    """
    text = str(path)
    if DOI.match(text):
        return f"; what has a DOI is brought here before: trajstore fetch doi:{plain(DOI.sub('', text))} DIR"
    if RECORD.match(text):
        return f"; what is on Zenodo is brought here before: trajstore fetch {hide(text)} DIR"
    if found := HOST.match(text):
        scheme = "http" if found.group("here") else "https"
        return f"; if it is an address, say {hide(f'{scheme}://{text}')}"
    return ""


def hide(url: str) -> str:
    """A URL without the parts that may hold passwords and keys."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+://)(?:[^/?#]*@)?([^?#]*)", url)
    return plain("".join(found.groups()) if found else url)


def plain(text: str) -> str:
    """What a server says, fit for a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:300])
