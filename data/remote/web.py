"""Ranges of files on web servers: fsspec's HTTP file system, which believes no answer that it has not checked.

As it comes, it takes whatever a server sends for the range that was asked for, however long, of whichever version.
"""

from urllib.parse import urlsplit

import aiohttp
from fsspec.asyn import sync
from fsspec.implementations.http import HTTPFileSystem
from requests.utils import get_environ_proxies

from ..base.errors import FormatError, TrajstoreError
from .address import NotThereError, hide, plain
from .answers import CHUNK, CONNECT, PASSING, SILENCE, check_plain, number, refused, size_of
from .places import NoRangesError, PassingError


class WebFiles(HTTPFileSystem):
    """Of one server, for one process. `headers` go with each request to it, and to no other server."""

    # Each keeps the versions of the files that were read by it.
    cachable = False

    def __init__(self, headers: dict[str, str]) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE)
        # Bytes as they are: neither sizes nor ranges mean anything of compressed ones.
        # Neither may a password of ~/.netrc take the place of a token.
        self._own = "Authorization" in headers
        client = {"timeout": timeout, "trust_env": not self._own, "auto_decompress": False}
        super().__init__(client_kwargs=client, headers={"Accept-Encoding": "identity", **headers})
        # By URL: the ETag, or the time of the last change, that the file had when it was first read.
        self._versions: dict[str, str] = {}

    async def _range(self, url: str, start: int, end: int, total: int | None) -> bytes:
        """Bytes `start` to (without) `end`, or fewer where `total`, the size of the file, is not known.

        Raises PassingError, NotThereError, or TrajstoreError where another try is of no use.
        """
        session = await self.set_session()
        headers = {**self.kwargs["headers"], "Range": f"bytes={start}-{end - 1}"}
        try:
            async with session.get(self.encode_url(url), headers=headers, proxy=self._proxy(url)) as answer:
                size = self._check(url, answer, start, end, total)
                read = bytearray()
                async for chunk in answer.content.iter_chunked(CHUNK):
                    read += chunk
                    if len(read) > end - start:
                        raise TrajstoreError(f"{hide(url)}: the server sends more than it was asked for")
        except aiohttp.TooManyRedirects:
            raise TrajstoreError(f"{hide(url)}: the server redirects too often; check the address") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PassingError(_reason(error)) from None
        if size is not None and len(read) < min(end, size) - start:
            raise PassingError(f"{len(read):,} of {min(end, size) - start:,} bytes came")
        return bytes(read)

    def _proxy(self, url: str) -> str | None:
        """That of the environment, where aiohttp is not to look there."""
        return get_environ_proxies(url).get(urlsplit(url).scheme) if self._own else None

    def range(self, url: str, start: int, end: int, total: int | None) -> bytes:
        """The same, from outside of the event loop."""
        return sync(self.loop, self._range, url, start, end, total)  # pyright: ignore[reportReturnType]

    def _check(
        self, url: str, answer: aiohttp.ClientResponse, start: int, end: int, total: int | None
    ) -> int | None:
        """Bytes of the whole file, None where neither the caller nor the server knows; raises as `_range` does."""
        where = hide(url)
        hops = [*(each.url.scheme for each in answer.history), answer.url.scheme]
        if "https" in hops and hops[hops.index("https") :].count("http"):
            raise TrajstoreError(f"{where}: the server redirects from https to http; ask who shares it")
        if answer.status in (404, 410):
            raise NotThereError(f"{where}: the server has no such file (status {answer.status})")
        if answer.status in PASSING:
            delay = number(answer.headers.get("Retry-After"))
            raise PassingError(f"the server answers with status {answer.status}", delay or 0)
        if answer.status == 416:
            raise changed(where, "has become shorter")
        if answer.status not in (200, 206):
            raise refused(where, answer.status)
        check_plain(where, answer.headers.get("Content-Encoding", "identity"))
        size = _whole(answer, start)
        # A small file whose size nobody knows, as a manifest, may come as a whole.
        if answer.status == 200 and (start or (size is None and total is not None) or (size or 0) > end):
            raise NoRangesError
        if total is not None and size not in (None, total):
            raise changed(where, f"has {size:,} bytes, expected {total:,}")
        tag = answer.headers.get("ETag", "")
        # A weak tag does not promise equal bytes.
        version = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
        if version and self._versions.setdefault(url, version) != version:
            raise changed(where, "is another version than what was read before")
        return size if total is None else total


def changed(where: str, how: str) -> FormatError:
    """What is said of a file that is not what it was, or not what the manifest says."""
    return FormatError(
        f"{how}: it was changed on the server; open the dataset again, and if that does not help ask who shares it",
        where,
    )


def _whole(answer: aiohttp.ClientResponse, start: int) -> int | None:
    """Bytes of the whole file, None where the server does not say."""
    if answer.status == 200:
        return answer.content_length
    try:
        return size_of(answer.headers.get("Content-Range", ""), start)
    except ValueError as error:
        raise TrajstoreError(f"{hide(str(answer.url))}: {error}") from None


def _reason(error: Exception) -> str:
    """What went wrong, without the address that the library repeats."""
    if isinstance(error, TimeoutError):
        return f"nothing came for {SILENCE:g} s"
    said = getattr(getattr(error, "os_error", error), "strerror", None)
    return f"the connection failed: {plain(said)}" if said else "the connection broke off"
