"""How the work on shards is spread over threads or processes of this machine; over several machines: cluster.py."""

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, Protocol, get_args

from joblib import Parallel, cpu_count, delayed
from rich.console import Console

from ...data.base.arguments import one_of
from ...data.base.errors import TrajstoreError
from ...data.shard.shard import ShardRecord
from ..dynamics.engines import Engine
from ..runtime.interrupts import deaf_children
from ..runtime.orphans import end_with_parent
from ..runtime.progress import Busy, Counters, CountersProgress
from .plan import ShardPlan

Backend = Literal["threading", "loky", "dask"]


@dataclass(frozen=True)
class Work:
    """What a worker needs; it can be pickled, an engine cannot.

    folder       of the dataset, absolute
    make_engine  called once a process
    make         integrates and writes one shard, or compares it with what is there (then None); calls the report with
                 the rows done so far, which may raise to stop
    """

    folder: Path
    make_engine: Callable[[], Engine]
    make: Callable[[Engine, ShardPlan, Callable[[int], None]], ShardRecord | None]


class Workers(Protocol):
    """Those who make shards."""

    def prepare(self, work: Work) -> None:
        """See that the work can be done, before any begins. Raises TrajstoreError that says why it cannot."""
        ...

    def make(
        self, plans: list[ShardPlan], console: Console, doing: str = "integrate"
    ) -> dict[str, ShardRecord]:
        """Make these shards of the prepared work; the records by file name. Progress says what it is `doing`."""
        ...


@contextmanager
def hired(
    backend: Backend | None, scheduler: str | None, jobs: int | None, engine: Engine
) -> Iterator[Workers]:
    """The workers of a backend, until the end of the block.

    backend    None is threads for an engine that releases the GIL, loky's processes for others
    scheduler  address of a dask scheduler, for the backend "dask"
    jobs       shards worked on at once; None is one a core

    Raises TrajstoreError if the two do not go together, or the scheduler cannot be reached.
    """
    if backend is not None:
        one_of("backend", backend, get_args(Backend))
    if (backend == "dask") != (scheduler is not None):
        raise TrajstoreError(
            "--backend dask needs --scheduler, the address of a running dask scheduler, as in tcp://HOST:8786"
            if scheduler is None
            else "--scheduler is for --backend dask; give both, or neither to work on this machine alone"
        )
    if scheduler is not None:
        from .cluster import connected

        with connected(scheduler, jobs) as cluster:
            yield cluster
    else:
        yield LocalWorkers(
            backend or ("threading" if engine.threads else "loky"), jobs or cpu_count(), engine
        )


class LocalWorkers:
    """Threads, or processes, of this machine, by joblib."""

    def __init__(self, backend: Backend, jobs: int, engine: Engine) -> None:
        self._backend, self._jobs, self._engine = backend, jobs, engine
        self._key = uuid.uuid4().hex
        self._work: Work | None = None

    def prepare(self, work: Work) -> None:
        # Threads need no engine of their own.
        self._work = replace(work, make_engine=lambda: self._engine) if self._backend == "threading" else work

    def make(
        self, plans: list[ShardPlan], console: Console, doing: str = "integrate"
    ) -> dict[str, ShardRecord]:
        """See `Workers.make`."""
        assert self._work is not None
        if not plans:
            return {}
        records = {}
        with Counters(len(plans)) as counters:
            busy = Busy() if self._backend == "threading" else nullcontext()
            make = delayed(partial(_make, self._work, self._key, counters.path, os.getpid(), busy))
            parallel = Parallel(
                n_jobs=min(self._jobs, len(plans)),
                backend=self._backend,
                return_as="generator_unordered",
                pre_dispatch="n_jobs",
            )
            total = sum(plan.rows for plan in plans)
            with CountersProgress(counters, doing, total, "rows", console):
                try:
                    with deaf_children():
                        made = parallel(make(index, plan) for index, plan in enumerate(plans))
                    for record in made or ():
                        if record is not None:
                            records[record.file] = record
                except BaseException:
                    counters.stop()
                    if isinstance(busy, Busy):
                        busy.wait()
                    raise
        return records


def _make(
    work: Work,
    key: str,
    counters: Path,
    parent: int,
    busy: AbstractContextManager[None],
    index: int,
    plan: ShardPlan,
) -> ShardRecord | None:
    end_with_parent(parent)
    with busy:
        return make_here(work, key, plan, partial(Counters.report, counters, index))


_engines: dict[str, Engine] = {}
_making, _turn = threading.Lock(), threading.Lock()


def make_here(work: Work, key: str, plan: ShardPlan, report: Callable[[int], None]) -> ShardRecord | None:
    """Make a shard with this process's engine for the work of that key, which is made when it is first needed.

    Engines that hold the GIL gain nothing by threads, and not all of what they call may run in several at once:
    their threads take turns.
    """
    with _making:
        if key not in _engines:
            # Of work that was done before.
            _engines.clear()
            _engines[key] = work.make_engine()
        engine = _engines[key]
    with nullcontext() if engine.threads else _turn:
        # Whoever waited for a turn may be asked to stop.
        report(0)
        return work.make(engine, plan, report)
