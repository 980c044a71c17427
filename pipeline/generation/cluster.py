"""Shards made by the workers of a dask cluster, on whatever machines, in a folder that all of them share.

Dask's own client is used, not joblib's backend for it: that one fixes the number of tasks under way before the first
begins, so that workers which come later get none, and waits without end once all workers are gone.
"""

import logging
import pickle
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console

from ...data.base.errors import TrajstoreError
from ...data.base.files import has_size, temporary_path
from ...data.base.installing import install
from ...data.folder.names import MANIFEST
from ...data.shard.shard import ShardRecord
from ..runtime.bars import Bars
from ..runtime.progress import InterruptedWork
from ..runtime.software import software
from .cluster_worker import GO_ON, Badge, make_there, problem_here
from .local_workers import Work
from .plan import ShardPlan

# Seconds to reach the scheduler; for workers to say what they see; without any worker, until we give up.
CONNECT, ANSWER, NO_WORKERS = 10.0, 60.0, 30.0
# Seconds until a file of another machine is seen here; NFS trusts what it knows of a folder for up to 60.
SEEN = 75.0
LOOK_EVERY = 2.0
ADDRESS = re.compile(r"(tcp|tls)://.+:\d+")
# Shards under way or waiting, for each thread of the workers: nobody waits for us.
AHEAD = 2
# Of many workers that cannot work, so many are named.
NAMED = 3


@cache
def _distributed() -> Any:
    try:
        from dask import config  # pyright: ignore[reportMissingImports]

        config.set({"distributed.comm.timeouts.connect": CONNECT})
        import distributed  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise TrajstoreError(
            f"--backend dask needs the package distributed, which cannot be imported ({error}); "
            f"{install('dask')}"
        ) from None
    # What goes wrong is said in our own words.
    for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return distributed


@contextmanager
def connected(scheduler: str, jobs: int | None) -> Iterator["ClusterWorkers"]:
    """The workers of the scheduler of that address.

    Raises TrajstoreError if distributed is not installed, or no scheduler answers there.
    """
    if not ADDRESS.fullmatch(scheduler):
        raise TrajstoreError(
            f"--scheduler {scheduler}: is no address of a dask scheduler; expected one as in tcp://HOST:8786"
        )
    client = _client(scheduler)
    workers = ClusterWorkers(client, scheduler, jobs)
    try:
        # Ours for these lines alone: whoever called may have a client of their own.
        with client.as_current():
            yield workers
    finally:
        workers.dismiss()
        with suppress(OSError, CancelledError):
            client.close(timeout=CONNECT)


def _client(scheduler: str) -> Any:
    """A client of the scheduler. One that accepts the connection and says nothing would keep it waiting for ever."""
    made: Future[Any] = Future()

    def connect() -> None:
        try:
            options = {"timeout": CONNECT, "set_as_default": False, "name": "trajstore"}
            made.set_result(distributed.Client(scheduler, **options))
        except BaseException as error:
            made.set_exception(error)

    distributed = _distributed()
    threading.Thread(target=connect, daemon=True).start()
    try:
        return made.result(timeout=2 * CONNECT)
    except (OSError, ValueError) as error:
        raise TrajstoreError(
            f"--scheduler {scheduler}: no dask scheduler answers there within {CONNECT:.0f} s "
            f"({_first_line(error)}); start one with `dask scheduler`, and give the address that it prints"
        ) from None


class ClusterWorkers:
    """See `local_workers.Workers`."""

    def __init__(self, client: Any, scheduler: str, jobs: int | None) -> None:
        self._client, self._scheduler, self._jobs = client, scheduler, jobs
        self._badge: Badge | None = None

    def prepare(self, work: Work) -> None:
        """Ask every worker, and see that the scheduler can pass on what it is given."""
        content = pickle.dumps(work)
        # A leftover of the manifest by its name, which the next run clears away if we are killed.
        badge = Badge(temporary_path(work.folder / MANIFEST), sha256(content).hexdigest(), software())
        self._badge = badge
        badge.path.write_bytes(content)
        with self._scheduler_in_reach(work.folder):
            try:
                self._client.wait_for_workers(1, timeout=NO_WORKERS)
            except TimeoutError:
                raise TrajstoreError(
                    f"--scheduler {self._scheduler}: has no workers after {NO_WORKERS:.0f} s; start some with "
                    f"`dask worker {self._scheduler}`"
                ) from None
            found = self._ask(badge)
            self._check_scheduler()
        problems = [
            f"worker {address} {_first_line(found) if isinstance(found, BaseException) else found}"
            for address, found in sorted(found.items())
            if found is not None
        ]
        if problems:
            more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
            raise TrajstoreError(f"{work.folder}: nothing was begun: {'; '.join(problems[:NAMED])}{more}")

    def _ask(self, badge: Badge) -> dict[str, Any]:
        """For each worker its problem, or the exception that it met; None if it has none."""
        try:
            return self._client.run(problem_here, badge, on_error="return", callback_timeout=ANSWER)
        except TimeoutError:
            raise TrajstoreError(
                f"{badge.path.parent}: not every worker said within {ANSWER:.0f} s whether it sees this folder; does "
                "a disk hang there?"
            ) from None

    def _check_scheduler(self) -> None:
        try:
            self._client.run_on_scheduler(software)
        except ImportError as error:
            raise TrajstoreError(
                f"--scheduler {self._scheduler}: the scheduler itself needs trajstore, too ({error}); install the "
                "same version for it"
            ) from None

    def make(
        self, plans: list[ShardPlan], console: Console, doing: str = "integrate"
    ) -> dict[str, ShardRecord]:
        """See `local_workers.Workers`; progress counts the rows of finished shards."""
        assert self._badge is not None
        folder = self._badge.path.parent
        records: dict[str, ShardRecord] = {}
        waiting, under_way = list(reversed(plans)), {}
        with Bars("rows", console=console) as progress:
            task = progress.add_task(doing, total=sum(plan.rows for plan in plans))
            while waiting or under_way:
                with self._scheduler_in_reach(folder):
                    room = self._jobs or AHEAD * max(1, sum(self._client.nthreads().values()))
                    while waiting and len(under_way) < room:
                        plan = waiting.pop()
                        under_way[self._client.submit(make_there, self._badge, plan, pure=False)] = plan
                    finished = self._first_finished(list(under_way), folder)
                for future in finished:
                    record = self._result(future, folder)
                    progress.advance(task, under_way.pop(future).rows)
                    if record is not None:
                        records[record.file] = record
        _wait_until_seen(folder, records)
        return records

    def dismiss(self) -> None:
        """Whoever still works stops at the next report; the scheduler drops the rest when we leave."""
        if self._badge is not None:
            with suppress(OSError):
                self._badge.path.unlink(missing_ok=True)

    def _first_finished(self, futures: list[Any], folder: Path) -> list[Any]:
        """Those of the tasks that are done, once one is."""
        seen = time.monotonic()
        while True:
            try:
                return list(
                    _distributed().wait(futures, timeout=LOOK_EVERY, return_when="FIRST_COMPLETED").done
                )
            except TimeoutError:
                pass
            if self._client.nthreads():
                seen = time.monotonic()
            elif time.monotonic() - seen > NO_WORKERS:
                raise TrajstoreError(
                    f"{folder}: the scheduler {self._scheduler} has had no worker for {NO_WORKERS:.0f} s. {GO_ON}"
                )

    def _result(self, future: Any, folder: Path) -> ShardRecord | None:
        with self._scheduler_in_reach(folder):
            error = future.exception()
            if error is None:
                return future.result()
        if isinstance(error, _distributed().KilledWorker):
            raise TrajstoreError(
                f"{folder}: several workers died at the same shard, perhaps for want of memory: give them more, "
                f"or make dataset.shard_rows smaller. {GO_ON}"
            )
        if isinstance(error, InterruptedWork):
            raise TrajstoreError(f"{error}; who removed it? {GO_ON}")
        raise error

    @contextmanager
    def _scheduler_in_reach(self, folder: Path) -> Iterator[None]:
        """Say in one line that the scheduler is lost."""
        try:
            yield
        except (OSError, CancelledError, _distributed().client.ClosedClientError) as error:
            # Tasks of a scheduler that is gone are merely cancelled.
            why = "its tasks were cancelled" if isinstance(error, CancelledError) else _first_line(error)
            raise TrajstoreError(
                f"{folder}: the dask scheduler {self._scheduler} was lost ({why}). {GO_ON}"
            ) from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _wait_until_seen(folder: Path, records: dict[str, ShardRecord]) -> None:
    """A shared folder may show here only after a while what another machine has written."""
    deadline = time.monotonic() + SEEN
    missing = list(records.values())
    while missing and time.monotonic() < deadline:
        missing = [record for record in missing if not has_size(folder / record.file, record.bytes)]
        if missing:
            time.sleep(1)
