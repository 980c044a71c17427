"""Ctrl-C and SIGTERM: who hears of them, and when, so that what is saved is whole and the end is quiet."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_AGAIN_AFTER = 0.01
_heard = threading.Event()


def hear() -> None:
    """From now on Ctrl-C and a polite kill raise KeyboardInterrupt in the main thread, and are not forgotten.

    Compiled code that calls Python back may have no way to pass on what is raised there: pydantic takes a pattern
    that was interrupted for one that does not match. Such an interrupt comes again a moment later.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sys.unraisablehook = _send_again


def _interrupt(number: int, frame: FrameType | None) -> None:
    _heard.set()
    raise KeyboardInterrupt


def _send_again(lost: "UnraisableHookArgs") -> None:
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(_AGAIN_AFTER, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()


@contextmanager
def nothing_else_heard() -> Iterator[None]:
    """Whatever error ends this block after Ctrl-C was heard, it is KeyboardInterrupt that leaves it.

    What a library makes of an interrupt in its midst, a failed import or a value refused, is no fault of the user's.
    """
    try:
        yield
    except Exception as error:
        if not _heard.is_set():
            raise
        raise KeyboardInterrupt from error


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
