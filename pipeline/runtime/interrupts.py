"""Ctrl-C and SIGTERM: who hears of them, and when, so that what is saved is whole and the end is quiet."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes and threads that are started in this block never hear Ctrl-C; this one hears it when the block ends.

    A terminal sends it to all processes of a group at once. A worker that is still being loaded would end with a
    traceback, and it is its parent that ends it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    # Where it starts within the block, it lets signals through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_deaf() -> None:
    """From now on Ctrl-C changes nothing: what is left is to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class StopRequest:
    """While active, the first signal only sets `requested`; a second one interrupts at once.

    Outside the main thread, where Python allows no handlers, it does nothing.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
