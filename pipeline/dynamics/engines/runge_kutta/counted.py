"""Evaluations of the equations along one row, counted, with an end to patience."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, isnan
from typing import Any

import numpy as np

from ..base.engine import HOPELESS
from .careful import LeftDomainError, StepLimitReachedError

# So many evaluations in a row without a finite value, and the row is given up.
UNDEFINED_IN_A_ROW = 1000
# A solver that in so many evaluations advances by no more than as many units in the last place stands before a pole.
PATIENCE = 10_000
# A solver that gives up with the state this many times larger than in the first half of its way has met a
# singularity.
RUNAWAY = 1e6
# A row that slows down is left alone for so many evaluations, and where its limit is so low that nobody waits long.
LEFT_ALONE, LONG = 1 << 16, 1 << 22
# It slows down if it advances with twice as many evaluations by no more than so many times what it did before, so
# often at least.
NO_FARTHER, DOUBLINGS = 1.25, 3
# How large a row has become is looked at once in so many evaluations.
SELDOM = 64


@dataclass(frozen=True)
class Passed:
    """Where a row was after some evaluations: time, state (D,), and the largest of each component so far."""

    time: float
    state: np.ndarray
    largest: np.ndarray


class Counted:
    """The right-hand side of one row, f(t, x, p), which raises when the row gets nowhere.

    A solver may look beyond the domain of the equations and come back with a smaller step, but some never do.

    limit  of evaluations; 0 is none
    end    the time that the row is to reach
    """

    def __init__(self, field: Callable[..., Any], parameters: list[float], limit: int, end: float) -> None:
        self._field, self._parameters, self._limit, self._end = field, parameters, limit, end
        self._calls, self._undefined, self._seen = 0, 0, -np.inf
        # After 1, 2, 4, 8, ... evaluations.
        self._passed: list[Passed] = []
        self._largest = np.zeros(0)

    def __call__(self, time: float, state: np.ndarray) -> Any:
        self._calls += 1
        if isnan(time):
            # What a solver makes of slopes that were no numbers at its start; it would not stop.
            raise LeftDomainError
        if self._calls % SELDOM == 0 or not self._calls & (self._calls - 1):
            self._look(time, state)
        if self._limit and self._calls > self._limit:
            raise StepLimitReachedError
        if self._calls % PATIENCE == 0:
            advance = abs(time - self._seen)
            if advance <= PATIENCE * np.spacing(abs(time)):
                raise LeftDomainError
            if advance * HOPELESS < abs(self._end - time) * PATIENCE:
                # Counted in evaluations; before a pole, or on a jump, along which a state slides?
                self._give_up(time, state)
            self._seen = time
        try:
            values = self._field(float(time), state.tolist(), self._parameters)
            # A sum is finite only if all are; of complex numbers, which roots of negative ones are, it raises, but of
            # NumPy's, which a time of NumPy's would make of them, it takes the real part.
            if isfinite(sum(values)):
                self._undefined = 0
                return values
        except (OverflowError, ValueError, ZeroDivisionError, TypeError):
            pass
        self._undefined += 1
        if self._undefined > UNDEFINED_IN_A_ROW:
            raise LeftDomainError
        return [np.nan] * len(state)

    def _look(self, time: float, state: np.ndarray) -> None:
        size = np.abs(state)
        self._largest = np.fmax(self._largest, size) if self._passed else size
        if not self._calls & (self._calls - 1):
            self._passed.append(Passed(float(time), state.copy(), self._largest))
            if self._calls >= LEFT_ALONE and not 0 < self._limit < LONG and self._runs_away(time):
                self._give_up(time, state)

    def _give_up(self, time: float, state: np.ndarray) -> None:
        half = (self._passed[0].time + time) / 2
        before = max(float(np.abs(passed.state).max()) for passed in self._passed if passed.time <= half)
        raise LeftDomainError if np.abs(state).max() > RUNAWAY * before else StepLimitReachedError

    def _runs_away(self, time: float) -> bool:
        """Will the row be stopped by the limit, if it goes on as it does?

        Of a row that leaves for infinity ever more quickly each doubling of the evaluations brings no more than the
        one before. One that has done so for some doublings, and grown in each, is taken to do so for as many more,
        and then to keep its pace.
        """
        advances = [after.time - before.time for before, after in pairwise(self._passed)]
        doublings = 0
        for number in range(len(advances) - 1, 0, -1):
            grown = (self._passed[number + 1].largest > self._passed[number].largest).any()
            if not (grown and 0 < advances[number] <= NO_FARTHER * advances[number - 1]):
                break
            doublings += 1
        if doublings < DOUBLINGS:
            return False
        # In those that the row has yet to take, and the half of each that its pace is of.
        rest = (self._end - time) / advances[-1] - doublings
        return rest > 0 and self._calls * 2.0**doublings * (1 + rest / 2) > (self._limit or HOPELESS)
