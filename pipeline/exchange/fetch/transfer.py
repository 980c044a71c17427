"""All shards of a dataset on their way from an origin into a folder, some at once."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

import pooch
from rich.console import Console
from rich.progress import DownloadColumn, TransferSpeedColumn

from ....data.base.errors import FormatError
from ....data.base.files import sync
from ....data.base.hashing import is_right
from ....data.folder.manifest import Manifest
from ....data.folder.names import MANIFEST
from ....data.shard.shard import ShardRecord
from ...runtime.bars import Bars
from .download import Download, StoppedError
from .origin import Connection, Origin

# Holds partial files, and the manifest that they are to fit, until the dataset is whole.
WORK = ".fetch.part"
# Seconds that threads have to end in before they are left to themselves; they change nothing any more.
GRACE = 2.0


def partial(folder: Path, record: ShardRecord) -> Path:
    """A shard on its way. Named by its hash, so that it never goes on with a part of another file."""
    return folder / WORK / f"{record.file}.{record.sha256}.part"


class Transfer:
    """The shards of a dataset on their way into a folder."""

    def __init__(self, origin: Origin, folder: Path, manifest: Manifest) -> None:
        self._origin = origin
        self._folder = folder
        self._manifest = manifest
        self._text = manifest.to_json().encode()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        # A token for each thread that has ended. An interrupted `Thread.join` takes a busy thread for a dead one.
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._advance: Callable[[int], None] = lambda count: None
        self.fetched = 0
        self.kept = 0
        self.transferred = 0

    def run(self, jobs: int, console: Console | None) -> None:
        """Until all are there and right. Raises what went wrong first."""
        shown = console or Console(quiet=True, stderr=True)
        bar = Bars(DownloadColumn(), speed=TransferSpeedColumn(), console=shown)
        task = bar.add_task("fetch", total=self._manifest.bytes)
        self._advance = lambda count: bar.advance(task, count)
        pending = deque(self._manifest.shards)
        # Daemons: one that waits for a silent server must not keep an interrupted command alive.
        threads = [
            threading.Thread(target=self._work, args=(pending,), daemon=True)
            for _ in range(min(jobs, len(pending)))
        ]
        left = len(threads)
        with bar, _quiet_pooch():
            try:
                for thread in threads:
                    thread.start()
                while left and not self._stop.is_set():
                    self._ended.get()
                    left -= 1
            finally:
                self._stop.set()
                deadline = monotonic() + GRACE
                with suppress(Empty):
                    for _ in range(left):
                        self._ended.get(timeout=max(0.0, deadline - monotonic()))
        if self._failures:
            raise self._failures[0]

    def retire_other_manifest(self) -> None:
        """Remove the manifest of another dataset, or of another state of this one, before its shards change."""
        path = self._folder / MANIFEST
        with self._lock:
            if path.exists() and path.read_bytes() != self._text:
                path.unlink()

    def _work(self, pending: deque[ShardRecord]) -> None:
        """One thread: shard after shard until none is left."""
        try:
            with closing(self._origin.connect()) as connection:
                while pending and not self._stop.is_set():
                    self._obtain(connection, pending.popleft())
        except (StoppedError, IndexError):
            pass
        except BaseException as error:
            self._failures.append(error)
            self._stop.set()
        finally:
            self._ended.put(None)

    def _obtain(self, connection: Connection, record: ShardRecord) -> None:
        path = self._folder / record.file
        if is_right(path, record.sha256, record.bytes):
            self._advance(record.bytes)
            with self._lock:
                self.kept += 1
            return
        download = Download(
            self._origin,
            connection,
            record.file,
            record.bytes,
            partial(self._folder, record),
            self._stop,
            self._advance,
        )
        try:
            staged = self._retrieve(record, download)
        finally:
            with self._lock:
                self.transferred += download.transferred
        self._advance(record.bytes - download.counted)
        self.retire_other_manifest()
        staged.replace(path)
        sync(self._folder)
        with self._lock:
            self.fetched += 1

    def _retrieve(self, record: ShardRecord, download: Download) -> Path:
        """The shard with the right hash, in the work folder. One put together from parts has a second chance."""
        for last in (False, True):
            try:
                return Path(
                    pooch.retrieve(
                        self._origin.shown(record.file),
                        known_hash=f"sha256:{record.sha256}",
                        fname=record.file,
                        path=self._folder / WORK,
                        downloader=download,  # pyright: ignore[reportArgumentType]
                    )
                )
            except ValueError:
                if last or download.pieces == 1:
                    break
        raise FormatError(
            f"{self._origin.shown(record.file)}: has the size but not the SHA-256 that the manifest says: it was "
            "changed or damaged; ask who shares it"
        )


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Pooch tells of every file on stderr, into our progress bar."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
