"""How long a training takes: with its sittings before, whether that is too long, and how much of it is waiting."""

import math
from collections.abc import Iterator
from time import perf_counter

from ...data.batches.dataset import Batch
from ..runs.standing import Standing


class Clock:
    """Runs from its making on, and notes the time where the training stands.

    minutes  after which it is late; None is never
    """

    def __init__(self, now: Standing, minutes: float | None) -> None:
        self._now, self._limit = now, math.inf if minutes is None else 60 * minutes
        self._begin = perf_counter() - now.seconds

    @property
    def is_late(self) -> bool:
        return perf_counter() - self._begin >= self._limit

    def note(self) -> None:
        self._now.seconds = perf_counter() - self._begin


def timed(batches: Iterator[Batch], now: Standing) -> Iterator[Batch]:
    """The same batches; the time spent waiting for them is added up."""
    while True:
        begin = perf_counter()
        batch = next(batches)
        now.waiting += perf_counter() - begin
        yield batch
