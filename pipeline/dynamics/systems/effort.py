"""An end to algebra on a stranger's text, counted in calls of functions: they are the same on every machine."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any

from .expressions import ExpressionError

# Of one stage, such as to parse all equations, or to differentiate them: some seconds of a processor.
MOST_CALLS = 15_000_000
# Of the processor's time, for calls that take long each, as of polynomials with endless coefficients.
MOST_SECONDS = 7.0
# Functions that Python calls by itself, and whose errors it drops: their own, and those of weak references.
FINALIZERS = ("__del__", "remove", "_remove", "callback")
# Calls between two looks at the clock.
LOOK_EVERY = 256


class TooMuchAlgebraError(ExpressionError):
    """Equations on which algebra would take too long."""


class _ExhaustedError(BaseException):
    """Nothing on the way that catches errors may catch this one."""


class Effort:
    """What is left of the calls of one stage that goes in several steps."""

    def __init__(self, calls: int | None = None) -> None:
        self.calls = self.left = MOST_CALLS if calls is None else calls


@contextmanager
def bounded(what: str, effort: Effort | None = None) -> Iterator[None]:
    """Within, no more calls of Python functions are made by this thread than are left, or MOST_CALLS.

    what  names the equations in the message

    Raises TooMuchAlgebraError. Where another tracer is at work, as in another `bounded`, it is left to that.
    """
    if sys.gettrace() is not None:
        yield
        return
    whole = effort or Effort()
    left, end = whole.left, time.thread_time() + MOST_SECONDS

    def count(frame: FrameType, _event: str, _argument: Any) -> None:
        # Of functions that are called alone: no other events come where none is asked for.
        nonlocal left
        left -= 1
        spent = left < 0 or (left % LOOK_EVERY == 0 and time.thread_time() > end)
        # What is raised in a finalizer is lost, and the tracer with it; so it is in a generator that is given up.
        code = frame.f_code
        if spent and code.co_name not in FINALIZERS and not code.co_flags & CO_GENERATOR:
            raise _ExhaustedError

    def charge(calls: int) -> None:
        nonlocal left
        left -= calls
        if left < 0:
            sys.settrace(None)
            raise _ExhaustedError

    vars(count)["charge"] = charge
    sys.settrace(count)
    try:
        yield
        if left < 0:
            raise _ExhaustedError
    except _ExhaustedError:
        raise TooMuchAlgebraError(
            f"{what}: too much algebra, given up after {whole.calls - left} operations; write it in fewer or simpler "
            "terms: fewer functions in one another, lower powers of sums"
        ) from None
    finally:
        sys.settrace(None)
        whole.left = left


@contextmanager
def charged(calls: int) -> Iterator[None]:
    """Within, calls are not counted, which costs as much as they do; what is known of them is charged before."""
    counting = sys.gettrace()
    charge = getattr(counting, "charge", None)
    if charge is None:
        yield
        return
    charge(calls)
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(counting)
