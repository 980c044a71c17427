"""An end to algebra on a stranger's text, counted in calls of functions: they are the same on every machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .expressions import ExpressionError

# Of one stage, such as to parse all equations, or to differentiate them: some seconds of a processor.
MOST_CALLS = 4_000_000


class TooMuchAlgebraError(ExpressionError):
    """Equations on which algebra would take too long."""


class _ExhaustedError(BaseException):
    """Nothing on the way that catches errors may catch this one."""


class Effort:
    """What is left of the calls of one stage that goes in several steps."""

    def __init__(self, calls: int = MOST_CALLS) -> None:
        self.calls = self.left = calls


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

    left = whole.left

    def count(_frame: FrameType, _event: str, _argument: Any) -> None:
        # Of functions that are called alone: no other events come where none is asked for.
        nonlocal left
        left -= 1
        if left < 0:
            raise _ExhaustedError

    sys.settrace(count)
    try:
        yield
    except _ExhaustedError:
        raise TooMuchAlgebraError(
            f"{what}: too much algebra, given up after {whole.calls} operations; write it in fewer or simpler terms: "
            "fewer functions in one another, lower powers of sums"
        ) from None
    finally:
        sys.settrace(None)
        whole.left = left
