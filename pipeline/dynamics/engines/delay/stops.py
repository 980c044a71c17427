"""Stops of a row of a delay equation that it finds on its way: kinks and jumps, and where they come again."""

from collections.abc import Iterable
from heapq import heappop, heappush

import numpy as np


class Stops:
    """Times ahead at which a step has to end.

    delays    (M,)
    carrying  numbers of the delays by which kinks come again and again; by the others once
    level     so many delays after a kink it is not felt any more
    """

    def __init__(self, delays: np.ndarray, carrying: Iterable[int], level: int) -> None:
        self._delays, self._carrying, self._level = delays.tolist(), frozenset(carrying), level
        self._ahead: list[tuple[float, int]] = []
        self._event: float | None = None
        self._met: frozenset[int] = frozenset()

    @property
    def next(self) -> float:
        """The first of them; infinite if there is none."""
        follows = self._ahead[0][0] if self._ahead else np.inf
        return follows if self._event is None else min(follows, self._event)

    def aim(self, time: float, met: frozenset[int]) -> None:
        """At that time the row meets these surfaces, if any; this replaces what it was to meet before."""
        self._event, self._met = time, met

    def pass_by(self, time: float) -> frozenset[int]:
        """Leave behind what lies before that time, and add what follows from it; the surfaces met."""
        levels, met = [], frozenset[int]()
        while self._ahead and self._ahead[0][0] <= time:
            levels.append(heappop(self._ahead)[1])
        if self._event is not None and self._event <= time:
            met, self._event = self._met, None
            if not met:
                # What is not analytic there is no matter of sides.
                levels.append(0)
        if levels:
            self.follow(time, min(levels))
        return met

    def follow(self, time: float, level: int = 0) -> None:
        """Add the stops a delay after a time that comes so many delays after a kink."""
        if level < self._level:
            for number, delay in enumerate(self._delays):
                following = level + 1 if number in self._carrying else self._level
                heappush(self._ahead, (time + delay, following))
