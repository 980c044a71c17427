"""Folders that lie elsewhere: any of their files, from one byte to another, by fsspec."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from urllib.parse import quote, urlsplit, urlunsplit

from ..base.errors import FormatError, TrajstoreError
from ..base.installing import install
from .address import NotThereError, hide, scheme_of
from .answers import LONGEST_WAIT

# Tries, and the wait in seconds after the first of them, then twice as long each time.
ATTEMPTS = 4
BACKOFF = 0.5
WEB = ("http", "https")


class PassingError(Exception):
    """Nothing, or not all, came; another try may go better. `delay`: seconds that the server asks to wait."""

    def __init__(self, reason: str = "", delay: float = 0.0) -> None:
        super().__init__(reason)
        self.delay = delay


class NoRangesError(Exception):
    """The server sends whole files only."""


@dataclass(frozen=True)
class Place:
    """A folder by its URL, as it is from when it was opened on: a file that changes after that is refused.

    suffix   what an address has behind the name of a file
    signed   gives headers, with a token, say: asked each time, so that copies that are handed on have none; they go
             to its own server alone, and are never shown
    opened   tells openings apart
    """

    url: str
    signed: Callable[[], Mapping[str, str]] | None = None
    suffix: str = ""
    opened: int = field(default_factory=count().__next__)

    @property
    def headers(self) -> Mapping[str, str]:
        """What is sent with each request, beside what a reader needs."""
        return {} if self.signed is None else self.signed()

    def address(self, name: str) -> str:
        """The URL of a file, with all that the user gave: not to be shown."""
        if scheme_of(self.url) not in WEB:
            return f"{self.url.rstrip('/')}/{name}"
        parts = urlsplit(self.url)
        return urlunsplit(
            parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}{self.suffix}", fragment="")
        )

    def shown(self, name: str = "") -> str:
        """The place of a file for people."""
        return hide(self.address(name))

    def read(self, name: str, start: int, end: int, total: int | None = None) -> bytes:
        """Bytes `start` to (without) `end` of a file of `total` bytes; of unknown size perhaps fewer.

        Raises NotThereError, or TrajstoreError if it is not of that size, or cannot be had.
        """
        if start >= end:
            return b""
        where, why = self.shown(name), PassingError()
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(max(BACKOFF * 2 ** (attempt - 1), min(why.delay, LONGEST_WAIT)))
            try:
                read = self._once(name, start, end, total)
            except PassingError as error:
                why = error
                continue
            except NoRangesError:
                raise TrajstoreError(
                    f"{where}: the server sends whole files only, no ranges of them, so that the dataset cannot be "
                    f"read where it lies; bring it here: trajstore fetch {hide(self.url)} DIR"
                ) from None
            except TrajstoreError:
                raise
            except FileNotFoundError:
                raise NotThereError(f"{where}: there is no such file") from None
            except ImportError:
                raise TrajstoreError(
                    f"{where}: reading a dataset where it lies needs fsspec and aiohttp: {install('remote')}; or "
                    f"bring it here: trajstore fetch {hide(self.url)} DIR"
                ) from None
            except Exception as error:
                # Of whatever library, whose text may hold a key.
                raise TrajstoreError(
                    f"{where}: cannot be read ({type(error).__name__}); check the address, and that you may read it"
                ) from None
            if total is not None and len(read) != end - start:
                raise FormatError(
                    f"{len(read):,} bytes came of the {end - start:,} that were asked for: it was changed, or cut "
                    "short; ask who shares it",
                    where,
                )
            return read
        raise TrajstoreError(
            f"{where}: {why}; {ATTEMPTS} tries failed. Check the address, or try again later."
        )

    def _once(self, name: str, start: int, end: int, total: int | None) -> bytes:
        read = _reader(self.url, tuple(self.headers.items()), self.opened, os.getpid())
        return read(self.address(name), start, end, total)


@lru_cache(maxsize=8)
def _reader(
    url: str, headers: tuple[tuple[str, str], ...], _opened: int, _process: int
) -> Callable[..., bytes]:
    """What reads from one byte of a URL to another; a forked process needs a connection of its own.

    Raises ImportError, or TrajstoreError if fsspec knows no such scheme.
    """
    import fsspec

    if scheme_of(url) in WEB:
        from .web import WebFiles

        return WebFiles(dict(headers)).range
    try:
        files, _ = fsspec.core.url_to_fs(url)
    except ValueError:
        raise TrajstoreError(
            f"{hide(url)}: fsspec knows no addresses of that kind; expected https://, hf:// or one of its own"
        ) from None
    return lambda address, start, end, _total: files.cat_file(address, start=start, end=end)
