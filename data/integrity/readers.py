"""Several readers at once, each with a thread that waits for its child, while a dataset's shards are checked."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Self, TypeVar

from ..shard.shard import ShardRecord
from .child_reader import MEMORY_FACTOR, IsolatedReader
from .reader import Reader

Item = TypeVar("Item")
Found = TypeVar("Found")
# A child takes as long to start as to check so much.
CHILD_BYTES = 32 << 20
# What the children may hold of files, all together; but one that is larger is read, too.
MEMORY_BYTES = 2 << 30


class Readers:
    """A context manager, at whose end all of them end.

    isolated  whether they read in child processes, as many as there are cores and enough to read; else one reads here
    """

    def __init__(self, isolated: bool, shards: list[ShardRecord]) -> None:
        children = [IsolatedReader() for _ in range(_at_once(shards) if isolated else 0)]
        for child in children:
            child.start()
        self._readers: list[Reader] = [*children] or [Reader()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.__exit__()

    @property
    def one(self) -> Reader:
        """For what is read one after the other."""
        return self._readers[0]

    def map(self, check: Callable[[Reader, Item], Found], items: Iterable[Item]) -> Iterator[Found]:
        """What `check` gives for each item with one of the readers, in the items' order, or the error it raises."""
        if len(self._readers) == 1:
            yield from (check(self.one, item) for item in items)
            return
        free: SimpleQueue[Reader] = SimpleQueue()
        for reader in self._readers:
            free.put(reader)

        def check_with_one(item: Item) -> Found:
            reader = free.get()
            try:
                return check(reader, item)
            finally:
                free.put(reader)

        with ThreadPoolExecutor(len(self._readers)) as threads:
            try:
                for asked in [threads.submit(check_with_one, item) for item in items]:
                    yield asked.result()
            except BaseException:
                # Who leaves early does not wait for what children still read.
                threads.shutdown(wait=False, cancel_futures=True)
                self.__exit__()
                raise


def _at_once(shards: list[ShardRecord]) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    sizes = [1, *(record.bytes for record in shards)]
    return max(1, min(cores, sum(sizes) // CHILD_BYTES, MEMORY_BYTES // (MEMORY_FACTOR * max(sizes))))
