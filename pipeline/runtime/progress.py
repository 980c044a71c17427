"""How far work is that threads and processes share."""

import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
from rich.console import Console, RenderableType

from .bars import Bars


class InterruptedWork(Exception):  # noqa: N818
    """Raised inside a worker whose parent has been interrupted."""


class Counters:
    """A number for each task, in a file that threads and worker processes write and the parent reads.

    The last entry is the stop flag: once `stop` has set it, `report` raises InterruptedWork.
    """

    def __init__(self, tasks: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="trajstore-")
        self.path = Path(self._folder.name) / "progress"
        # Written, not only made: a map of a file that has no room on the disk ends the process.
        self.path.write_bytes(bytes(8 * (tasks + 1)))
        self._values = np.memmap(self.path, dtype=np.int64, mode="r+")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def stop(self) -> None:
        self._values[-1] = 1

    def total(self) -> int:
        return int(self._values[:-1].sum())

    @staticmethod
    def report(path: Path, task: int, value: int) -> None:
        """Called by the workers."""
        try:
            values = np.memmap(path, dtype=np.int64, mode="r+")
        except FileNotFoundError:
            raise InterruptedWork from None
        values[task] = value
        if values[-1]:
            raise InterruptedWork


class Busy:
    """Counts the threads that are at work inside it. A thread must not outlive the interpreter's end."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Until no thread is at work."""
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0)


class CountersProgress(Bars):
    """A progress bar that follows Counters by itself, whenever it is drawn."""

    def __init__(self, counters: Counters, description: str, total: int, unit: str, console: Console) -> None:
        self._counters = counters
        super().__init__(unit, console=console)
        self._task = self.add_task(description, total=total)

    def get_renderables(self) -> Iterable[RenderableType]:
        if hasattr(self, "_task"):
            self.update(self._task, completed=self._counters.total())
        return super().get_renderables()
