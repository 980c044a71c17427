"""One file of an origin: bounded, tried again where the connection breaks, gone on with where it broke off."""

import threading
from collections.abc import Callable
from pathlib import Path

from ....data.base.errors import TrajstoreError
from ....data.base.files import sync
from ....data.remote.answers import LONGEST_WAIT
from .origin import BrokenError, Connection, NoRangeError, Origin, Piece

# Tries without progress, the wait in seconds after the first of them (then twice as long each time), and how many
# bytes are progress.
ATTEMPTS = 5
BACKOFF = 0.5
PROGRESS = 1 << 20


class StoppedError(Exception):
    """Another thread failed, or the user interrupts."""


class Patience:
    """Counts tries that failed, and waits between them."""

    def __init__(self, where: str, stop: threading.Event) -> None:
        self._where = where
        self._stop = stop
        self._failures = 0
        self._reached = 0

    def wait(self, error: BrokenError, reached: int = 0) -> None:
        """Wait after a try that came to byte `reached`. Raises TrajstoreError after too many without progress."""
        if reached >= self._reached + PROGRESS:
            self._failures, self._reached = 0, reached
        self._failures += 1
        if self._failures == ATTEMPTS:
            raise TrajstoreError(
                f"{self._where}: {error}; {ATTEMPTS} tries failed. What was fetched is kept: the same command goes "
                "on from there."
            )
        delay = max(BACKOFF * 2 ** (self._failures - 1), min(error.delay, LONGEST_WAIT))
        if self._stop.wait(delay):
            raise StoppedError


def read_bytes(origin: Origin, connection: Connection, name: str, limit: int) -> bytes:
    """A small file as a whole. Raises TrajstoreError if it has more than `limit` bytes, or cannot be had."""
    patience = Patience(origin.shown(name), threading.Event())
    while True:
        try:
            with connection.open(name) as piece:
                read = bytearray()
                for chunk in piece.chunks:
                    read += chunk
                    if len(read) > limit:
                        raise TrajstoreError(
                            f"{origin.shown(name)}: more than {limit:,} bytes ({piece.kind}); expected a small file"
                        )
                return bytes(read)
        except BrokenError as error:
            patience.wait(error)


class Download:
    """Fills `partial` up to exactly `size` bytes; a downloader for `pooch.retrieve`.

    partial  lies on the file system of what pooch is to write, and stays when the download fails
    stop     ends the work soon after it is set
    advance  called with the number of bytes that came; a negative one where they were thrown away

    Raises TrajstoreError where the server's file cannot be the right one, or another try is of no use.
    """

    def __init__(
        self,
        origin: Origin,
        connection: Connection,
        name: str,
        size: int,
        partial: Path,
        stop: threading.Event,
        advance: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._where = origin.shown(name)
        self._name = name
        self._size = size
        self._partial = partial
        self._stop = stop
        self._advance = advance
        self._ranges = True
        self._validator: str | None = None
        self.counted = 0
        self.transferred = 0
        self.pieces = 0

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Give the finished file the name that pooch chose."""
        patience = Patience(self._where, self._stop)
        if not self._partial.exists():
            self._partial.touch()
        elif 0 < self._reached <= self._size:
            # An earlier run's, which nothing says to be of this version of the file.
            self.pieces += 1
        else:
            self.discard()
        self._count(self._reached)
        while self._reached < self._size:
            start = self._reached if self._ranges else 0
            try:
                with self._connection.open(self._name, start, self._validator) as piece:
                    self._append(piece)
            except NoRangeError as error:
                self._ranges = False
                patience.wait(error)
            except BrokenError as error:
                patience.wait(error, self._reached)
        sync(self._partial)
        self._partial.replace(output_file)

    def discard(self) -> None:
        """Throw away what has come."""
        self._partial.unlink(missing_ok=True)
        self._partial.touch()
        self._count(0)
        self.pieces = 0

    @property
    def _reached(self) -> int:
        return self._partial.stat().st_size

    def _count(self, reached: int) -> None:
        self._advance(reached - self.counted)
        self.counted = reached

    def _append(self, piece: Piece) -> None:
        if piece.size not in (None, self._size):
            raise TrajstoreError(
                f"{self._where}: has {piece.size:,} bytes ({piece.kind}), the manifest says {self._size:,}: it was "
                "changed, cut short, or is no shard at all; ask who shares it"
            )
        if piece.start == 0:
            self.discard()
        self.pieces += 1
        self._validator = piece.validator
        # Unbuffered: a kill loses nothing.
        with self._partial.open("ab", buffering=0) as file:
            for chunk in piece.chunks:
                if self._stop.is_set():
                    raise StoppedError
                self.transferred += len(chunk)
                if self.counted + len(chunk) > self._size:
                    self.discard()
                    raise TrajstoreError(
                        f"{self._where}: the server sends more than the {self._size:,} bytes that the manifest says"
                    )
                file.write(chunk)
                self._count(self.counted + len(chunk))
        if self._reached < self._size:
            raise BrokenError(f"ended after {self._reached:,} of {self._size:,} bytes ({piece.kind})")
