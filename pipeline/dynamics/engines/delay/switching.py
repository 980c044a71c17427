"""On which side of each surface a delay equation is: where a step has to end, and how it goes on from there.

The two engines of delay equations ask here, each with its own idea of the path.
"""

from collections.abc import Callable
from itertools import product

import numpy as np

from .crossings import PLACES, SAMPLES, DoubtfulError, first_crossing, nearest_turn
from .pieces import DelayPieces

# Times nearer than this part of the time, or of the shortest delay, are one.
SAME_TIME = 1e-13
# So close to a surface, in parts of the largest |g| of the step, its side is asked for anew.
NEAR = 1e-13
# Rounding of g, in parts of its terms.
ROUNDING = 256 * 2.0**-52
# What must stay above zero may sink to this part of what it is elsewhere on a step before the step has to end there.
DEPTH = 0.1
# Of surfaces that are met at once.
MOST_MET = 4
# Fractions of a trial step after which a function tells where it goes.
FRACTIONS = 2.0 ** -np.arange(SAMPLES - 1, -1, -1)

# Values of the states and the delayed ones, each (m,), at times (m,).
Path = Callable[[np.ndarray], list[np.ndarray]]
# A short step from here with the equations of these sides: its path, begin and end; None if there is none.
Trial = Callable[[np.ndarray], tuple[Path, float, float] | None]
# Where a step has to end, and which surfaces it meets there.
Stop = tuple[float, frozenset[int]]


class LostError(Exception):
    """There is no single way on that is known here."""


class DelaySwitch:
    """Sides (surfaces,) of one row at a time, for given parameters."""

    def __init__(self, pieces: DelayPieces, parameters: np.ndarray, shortest: float) -> None:
        self._pieces, self._parameters, self._shortest = pieces, parameters, shortest

    def end_of(
        self, path: Path, begin: float, end: float, sides: np.ndarray, settled: frozenset[int]
    ) -> Stop | None:
        """Where a step has to end before it would; None if it does not.

        settled  surfaces on which it begins, each on its side

        Raises UnresolvedError if a shorter step is needed to tell, LostError if nothing tells.
        """
        width = end - begin
        times = begin + width * PLACES
        values = path(times)
        found: list[tuple[float, frozenset[int]]] = []
        sizes = self._pieces.sizes(times, values, *self._spread(sides, SAMPLES))
        samples = self._pieces.surfaces(times, values, *self._spread(sides, SAMPLES))
        for number in self._pieces.moving:
            noise = ROUNDING * sizes[number].max() + self._blurred(samples[number], begin, width)
            if sides[number] == 0:
                if np.abs(samples[number]).max() > 16 * noise:
                    raise LostError
                continue
            # A surface was met up to rounding of the time: what is left of g there fades along the step.
            begun = samples[number, 0] if number in settled else 0.0

            def apart(place: float, number: int = number, begun: float = begun) -> float:
                return float(
                    sides[number]
                    * (self._at(path, begin + width * place, sides)[number] - begun * (1 - place))
                )

            try:
                crossing = first_crossing(
                    sides[number] * (samples[number] - begun * (1 - PLACES)),
                    apart,
                    noise=noise,
                    doubts=number in self._pieces.jumps,
                )
            except DoubtfulError:
                raise LostError from None
            if crossing is not None:
                found.append((begin + width * crossing, frozenset({number})))
        if self._pieces.guarded:
            spread = self._spread(sides, SAMPLES)
            guards = self._pieces.guards(times, values, *spread)
            rounded = ROUNDING * self._pieces.guard_sizes(times, values, *spread).max(axis=1)
            for guard, noise in zip(guards, rounded, strict=True):
                blurred = float(noise) + self._blurred(guard, begin, width)
                turn = nearest_turn(guard, noise=blurred, depth=DEPTH)
                if turn is not None and width * min(turn, 1 - turn) > self.nearness(end):
                    found.append((begin + width * turn, frozenset()))
        if not found:
            return None
        first = min(time for time, _ in found)
        together = (met for time, met in found if time - first <= self.nearness(first))
        return first, frozenset().union(*together)

    @staticmethod
    def _blurred(samples: np.ndarray, begin: float, width: float) -> float:
        """What rounding of the times makes of a function on a step."""
        return float(np.ptp(samples)) * 4 * np.finfo(np.float64).eps * abs(begin) / width

    def near(self, path: Path, begin: float, end: float, sides: np.ndarray) -> frozenset[int]:
        """The surfaces on which a step has ended."""
        times = begin + (end - begin) * PLACES
        values, spread = path(times), self._spread(sides, SAMPLES)
        samples = np.abs(self._pieces.surfaces(times, values, *spread))
        sizes = self._pieces.sizes(times, values, *spread)
        return frozenset(
            number
            for number in self._pieces.moving
            if samples[number, -1]
            <= NEAR * samples[number].max()
            + ROUNDING * sizes[number, -1]
            + 4 * self._blurred(samples[number], end, end - begin)
        )

    def first(self, time: float, values: list[np.ndarray], trial: Trial) -> tuple[np.ndarray, frozenset[int]]:
        """Sides at the start of a row, where values (1,) are these, and the surfaces on which it starts."""
        sides, here = self.signs(time, values), np.array([time])
        if not self._pieces.number:
            return sides, frozenset()
        distances = np.abs(self._pieces.surfaces(here, values, *self._spread(sides, 1))[:, 0])
        sizes = self._pieces.sizes(here, values, *self._spread(sides, 1))[:, 0]
        met = frozenset(n for n in self._pieces.moving if distances[n] <= ROUNDING * sizes[n])
        return (self.settle(time, values, sides, met, trial) if met else sides), met

    def signs(self, time: float, values: list[np.ndarray]) -> np.ndarray:
        """On which sides values (1,) are; 0 where they are on a surface."""
        sides, here = np.zeros(self._pieces.number), np.array([time])
        for number in range(self._pieces.number):
            # One after the other, for a surface may mention the sides of those before it.
            sides[number] = np.sign(self._pieces.surfaces(here, values, *self._spread(sides, 1))[number, 0])
        return sides

    def settle(
        self, time: float, values: list[np.ndarray], sides: np.ndarray, met: frozenset[int], trial: Trial
    ) -> np.ndarray:
        """Sides from here on, where these surfaces are met. Raises LostError."""
        if len(met) > MOST_MET:
            raise LostError
        numbers = sorted(met)
        held = []
        for chosen in product((1.0, -1.0), repeat=len(numbers)):
            candidate = self._with(time, values, sides, dict(zip(numbers, chosen, strict=True)))
            if self._holds(candidate, numbers, trial):
                held.append(candidate)
        if not held:
            # It may rest on them.
            candidate = self._with(time, values, sides, dict.fromkeys(numbers, 0.0))
            if self._rests(candidate, numbers, trial):
                held.append(candidate)
        if len(held) != 1:
            raise LostError
        return held[0]

    def nearness(self, time: float) -> float:
        """Times so close to each other are one."""
        return SAME_TIME * max(abs(time), self._shortest)

    def _with(
        self, time: float, values: list[np.ndarray], sides: np.ndarray, chosen: dict[int, float]
    ) -> np.ndarray:
        """The sides with some chosen, and those of surfaces that these move."""
        sides = sides.copy()
        for number in range(self._pieces.number):
            if number in chosen:
                sides[number] = chosen[number]
            elif number in self._pieces.nested:
                found = self._pieces.surfaces(np.array([time]), values, *self._spread(sides, 1))
                sides[number] = np.sign(found[number, 0])
        return sides

    def _holds(self, sides: np.ndarray, numbers: list[int], trial: Trial) -> bool:
        """Does a step with these sides stay on them?"""
        tried = trial(sides)
        if tried is None:
            return False
        moved, noise = self._moved(*tried, sides)
        for number in numbers:
            told = np.flatnonzero(np.abs(moved[number]) > 16 * noise[number])
            if not len(told) or np.sign(moved[number, told[0]]) != sides[number]:
                return False
        return True

    def _rests(self, sides: np.ndarray, numbers: list[int], trial: Trial) -> bool:
        tried = trial(sides)
        if tried is None:
            return False
        moved, noise = self._moved(*tried, sides)
        return all((np.abs(moved[number]) <= 16 * noise[number]).all() for number in numbers)

    def _moved(
        self, path: Path, begin: float, end: float, sides: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What each g has changed by after FRACTIONS of a step, (surfaces, m), and what may be rounding of it."""
        times = begin + (end - begin) * FRACTIONS
        values, spread = path(times), self._spread(sides, SAMPLES)
        start = self._at(path, begin, sides)
        moved = self._pieces.surfaces(times, values, *spread) - start[:, None]
        return moved, ROUNDING * self._pieces.sizes(times, values, *spread)

    def _at(self, path: Path, time: float, sides: np.ndarray) -> np.ndarray:
        times = np.full(SAMPLES, time)
        return self._pieces.surfaces(times, path(times), *self._spread(sides, SAMPLES))[:, 0]

    def _spread(self, sides: np.ndarray, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return [np.full(count, value) for value in self._parameters], [np.full(count, side) for side in sides]
