"""Where a shared dataset lies: a web server's folder or one of this machine, read from any byte on."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin, urlsplit, urlunsplit
from urllib.request import url2pathname

import requests
import urllib3

from ....data.base.errors import TrajstoreError
from ....data.folder.names import MANIFEST, is_shard
from ....data.remote.address import NotThereError, hide, meant, plain
from ....data.remote.answers import CHUNK, CONNECT, PASSING, SILENCE, check_plain, number, refused, size_of
from ....data.remote.hub import address_of_page, hub_place
from ....data.remote.places import Place
from ..archives.zenodo import as_it_is, doi_of_page, record_place

TIMEOUT = (CONNECT, SILENCE)
REDIRECTS = 10


class BrokenError(Exception):
    """Nothing, or not all, came; another try may go better. `delay`: seconds that the server asks to wait."""

    def __init__(self, reason: str, delay: float = 0.0) -> None:
        super().__init__(reason)
        self.delay = delay


class NoRangeError(BrokenError):
    """The server did not go on from the byte that it was asked for."""


@dataclass(frozen=True)
class Piece:
    """A file from some byte on.

    start      number of the first byte that comes
    size       bytes of the whole file, or None where the server does not say
    kind       what the server calls it, such as "text/html"
    validator  ETag or time of change, by which the server tells versions of the file apart, or None
    chunks     the bytes; reading them may raise BrokenError inside the `with` that gave the piece
    """

    start: int
    size: int | None
    kind: str
    validator: str | None
    chunks: Iterator[bytes]


class Connection(Protocol):
    """What one thread reads by."""

    def open(self, name: str, start: int = 0, validator: str | None = None) -> AbstractContextManager[Piece]:
        """The file from byte `start` on, or from 0 where that is not possible or `validator` is out of date.

        Raises NotThereError, BrokenError, or TrajstoreError where another try is of no use.
        """
        ...

    def close(self) -> None: ...


# By the scheme of an address, what finds out where its files lie on the web.
ARCHIVES = {"hf": hub_place, "doi": record_place}


class Origin:
    """The place that a URL (http, https, file, hf), a DOI or a path names: a dataset's folder, or the manifest in it.

    Of a dataset on the Hub or on Zenodo, the address of its page serves as well.

    Raises TrajstoreError if it is none of these.
    """

    def __init__(self, url: str) -> None:
        url = doi_of_page(address_of_page(url))
        folder, _, last = url.partition("?")[0].rpartition("/")
        if is_shard(last):
            raise TrajstoreError(
                f"{hide(url)}: one shard of a dataset, and whole ones are fetched; expected its folder: trajstore "
                f"fetch {hide(folder) or '.'} DIR"
            )
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", url)
        kind = scheme.group(1).lower() if scheme else "path"
        self.folder: Path | None = None
        # Has the server answered anything yet?
        self.answered = False
        if kind in ARCHIVES:
            self.place = ARCHIVES[kind](url)
            return
        try:
            parts = urlsplit(url)
            if kind in ("http", "https"):
                _ = parts.port
                if not parts.hostname or not url[len(kind) :].startswith("://"):
                    raise ValueError("it names no host")
                path = parts.path.removesuffix(f"/{MANIFEST}").removesuffix("/") + "/"
                self.place = Place(urlunsplit(parts._replace(path=path, fragment="")))
                return
            if kind == "file":
                if parts.netloc not in ("", "localhost"):
                    raise ValueError(
                        f"it names another machine, {parts.netloc}; file:///path has three slashes"
                    )
                self.folder = Path(url2pathname(parts.path))
            elif scheme is None or not url[len(kind) :].startswith("://"):
                self.folder = Path(url)
            else:
                raise ValueError(f"{kind} is not known")
        except ValueError as error:
            raise TrajstoreError(
                f"{hide(url)}: no address of a dataset: {error}; expected https://, hf://ORG/NAME, "
                "doi:10.5281/zenodo.N, http://, file:/// or a path"
            ) from None
        if self.folder.name == MANIFEST:
            self.folder = self.folder.parent

    def address(self, name: str) -> str:
        """The URL of a file, with all that the user gave: not to be shown."""
        return self.place.address(name)

    def headers(self, address: str) -> Mapping[str, str]:
        """What goes with a request: a token to the server that it is for, and to no other."""
        servers = [urlsplit(url)[:2] for url in (address, self.place.url)]
        return self.place.headers if servers[0] == servers[1] else {}

    def shown(self, name: str = "") -> str:
        """The place of a file for people: without passwords and keys."""
        return str(self.folder / name) if self.folder else hide(self.address(name))

    def connect(self) -> Connection:
        return FolderConnection(self) if self.folder else WebConnection(self)


class FolderConnection:
    """Files of a folder."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def close(self) -> None:
        """Nothing stays open."""

    @contextmanager
    def open(self, name: str, start: int = 0, validator: str | None = None) -> Iterator[Piece]:
        path = Path(self._origin.shown(name))
        # A pipe or a device would never end.
        if not path.is_file():
            if not path.parent.exists():
                raise NotThereError(
                    f"{path.parent}: no such folder; expected that of a dataset{meant(path.parent)}"
                )
            raise NotThereError(f"{path}: no such file; expected the folder of a dataset, or its {MANIFEST}")
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(start)
            yield Piece(start, size, "a file", None, iter(lambda: file.read(CHUNK), b""))


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the whole body of a redirection, however long, even if it does not follow."""


class WebConnection:
    """Files of a web server, over connections that stay open between them."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._session = _Session()

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def open(self, name: str, start: int = 0, validator: str | None = None) -> Iterator[Piece]:
        # Bytes as they are: neither sizes nor ranges mean anything of compressed ones.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if validator:
                headers["If-Range"] = validator
        try:
            with self._answer(name, headers) as response:
                yield self._piece(name, start, response)
        except urllib3.exceptions.HTTPError as error:
            raise BrokenError(_reason(error)) from None
        except requests.exceptions.RequestException as error:
            passing = isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout)
            if passing and self._origin.answered:
                raise BrokenError(_reason(error)) from None
            # Most likely a mistyped address; a server that has answered once is worth more patience.
            raise TrajstoreError(f"{self._origin.shown(name)}: {_reason(error)}; check the address") from None

    def _answer(self, name: str, headers: dict[str, str]) -> requests.Response:
        """The response after redirections, none of which may leave https."""
        address = self._origin.address(name)
        for _ in range(REDIRECTS):
            token = self._origin.headers(address)
            response = self._session.get(
                address,
                headers={**headers, **token},
                auth=as_it_is if token else None,
                stream=True,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
            self._origin.answered = True
            if not response.is_redirect:
                return response
            response.close()
            allowed = ("https",) if address.lower().startswith("https:") else ("http", "https")
            target = response.headers["Location"]
            try:
                target = urljoin(address, target)
                scheme = urlsplit(target).scheme
            except ValueError:
                scheme = ""
            if scheme not in allowed:
                raise TrajstoreError(
                    f"{hide(address)}: the server redirects to {hide(target)}; expected {' or '.join(allowed)}"
                )
            address = target
        raise TrajstoreError(f"{self._origin.shown(name)}: the server redirects more than {REDIRECTS} times")

    def _piece(self, name: str, start: int, response: requests.Response) -> Piece:
        where, status = self._origin.shown(name), response.status_code
        if status in (404, 410):
            raise NotThereError(
                f"{where}: the server has no such file (status {status}); expected the folder of a whole dataset, "
                f"or its {MANIFEST}"
            )
        if status in PASSING:
            delay = number(response.headers.get("Retry-After"))
            raise BrokenError(f"the server answers with status {status}", delay or 0)
        if start and status == 416:
            raise NoRangeError(f"the server's file has no byte {start}")
        if status not in (200, 206) or (status == 206 and not start):
            raise refused(where, status)
        check_plain(where, response.headers.get("Content-Encoding", "identity"))
        if status == 206:
            try:
                size = size_of(response.headers.get("Content-Range", ""), start)
            except ValueError as error:
                raise NoRangeError(str(error)) from None
        else:
            start, size = 0, number(response.headers.get("Content-Length"))
        tag = response.headers.get("ETag", "")
        return Piece(
            start=start,
            size=size,
            kind=plain(response.headers.get("Content-Type", "bytes").partition(";")[0]),
            # A weak tag does not promise equal bytes.
            validator=tag if tag.startswith('"') else response.headers.get("Last-Modified"),
            # As they come: `iter_content` loses what came of a chunk when the connection breaks within it.
            chunks=iter(lambda: response.raw.read1(CHUNK, decode_content=False), b""),
        )


def _reason(error: BaseException) -> str:
    """What went wrong, without the address that the libraries repeat."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {TIMEOUT[0]:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate, or the encryption, failed"
    seen: BaseException | None = error
    while seen is not None:
        if "timed out" in str(seen).lower():
            return f"nothing came for {TIMEOUT[1]:g} s"
        if isinstance(seen, OSError) and seen.strerror and not isinstance(seen, requests.RequestException):
            return f"the connection failed: {seen.strerror}"
        seen = seen.__context__
    return "the connection broke off"
