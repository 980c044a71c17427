"""Rows of a delay equation with kinks or jumps: steps end where these are, and where they come again later."""

import numpy as np
from numpy.polynomial import chebyshev

from .....data.shard.schema import Status
from .crossings import UnresolvedError
from .march import LEVEL, NODES, March
from .stops import Stops
from .switching import DEPTH, DelaySwitch, LostError, Path

# Of an attempt that may not be taken although it errs little.
REFUSED = 1.0 + 1e-9
# A trial step is this part of what the next step wants to be, and so much shorter as often as it fails.
TRIAL, TRIALS, SHORTER = 1 / 16, 30, 0.25
# A row that gets nowhere has diverged if a component has grown so many times since the first half of its way.
RUNAWAY = 1e6


class RoughMarch(March):
    """As `March`; each row has sides of its own, and stops that it finds on its way."""

    def _begin(self, starts: np.ndarray, parameters: np.ndarray, start: float) -> None:
        rows = len(starts)
        self._pieces = self._problem.pieces
        self._sides = np.zeros((self._pieces.number, rows))
        self._shortest = self._delays.min(axis=0)
        self._switches = [
            DelaySwitch(self._pieces, parameters[row], float(self._shortest[row])) for row in range(rows)
        ]
        # After 1, 2, 4, 8, ... steps of a row, its time and the largest value of each component so far.
        self._passed = [[(start, np.abs(state))] for state in starts]
        self._taken = np.zeros(rows, dtype=np.int64)
        self._found = [Stops(delays, self._pieces.carrying, LEVEL) for delays in self._delays.T]
        self._first = np.full(rows, np.inf)
        # Surfaces on which a row's next step begins, and on which its last one ended.
        self._settled: list[frozenset[int]] = [frozenset()] * rows
        self._met: dict[int, frozenset[int]] = {}
        self._asked_again = np.full(rows, np.nan)
        self._moved = np.zeros(0, dtype=np.int64)
        if self._pieces.number:
            with np.errstate(all="ignore"):
                for row in range(rows):
                    self._choose_sides(row)

    def _choose_sides(self, row: int) -> None:
        values = [np.array([value]) for value in self._here(row)]
        try:
            self._sides[:, row], self._settled[row] = self._switches[row].first(
                float(self.time[row]), values, lambda sides: self._trial(row, sides)
            )
        except LostError:
            self.status[row] = Status.SOLVER_FAILED

    def _slopes(
        self, rows: np.ndarray, time: np.ndarray, states: tuple, parameters: list[np.ndarray]
    ) -> list:
        sides = [np.repeat(side[rows, None], NODES, axis=1) for side in self._sides]
        # What guards are asked of below.
        self._asked = time, states, parameters, sides
        return self._pieces.field(time, states, parameters, sides)

    def _stop(self, rows: np.ndarray) -> np.ndarray:
        return np.minimum(super()._stop(rows), self._first[rows])

    def _checked(
        self, rows: np.ndarray, width: np.ndarray, pieces: np.ndarray, error: np.ndarray
    ) -> np.ndarray:
        error = error.copy()
        self._met.clear()
        suspicious = error <= 1
        if not self._pieces.number:
            guards = self._pieces.guards(*self._asked)
            low, high = guards.min(axis=-1), np.abs(guards).max(axis=-1)
            suspicious &= ~(low > DEPTH * high).all(axis=0)
        for place in np.flatnonzero(suspicious):
            row, begin = int(rows[place]), float(self.time[rows[place]])
            path = self._path(row, pieces[:, place], begin, float(width[place]))
            try:
                taken = self._look(row, path, begin, begin + float(width[place]))
            except UnresolvedError:
                error[place] = np.inf
            except LostError:
                error[place] = np.inf
                self.status[row] = Status.SOLVER_FAILED
            else:
                error[place] = error[place] if taken else REFUSED
        return error

    def _look(self, row: int, path: Path, begin: float, end: float) -> bool:
        """May a step be taken? If it has to end before, the next one will."""
        switch, sides = self._switches[row], self._sides[:, row]
        stop = switch.end_of(path, begin, end, sides, self._settled[row])
        near = switch.nearness(end)
        if stop is None or stop[0] >= end - near:
            met = switch.near(path, begin, end, sides) | (stop[1] if stop else frozenset())
            if met:
                self._met[row] = met
            return True
        if stop[0] > begin + near:
            self._found[row].aim(*stop)
            self._first[row] = self._found[row].next
            return False
        if self._asked_again[row] == begin:
            raise LostError
        self._asked_again[row] = begin
        self._settle(row, stop[1] | self._settled[row])
        return False

    def _advance(self, rows: np.ndarray, width: np.ndarray, pieces: np.ndarray, after: np.ndarray) -> None:
        super()._advance(rows, width, pieces, after)
        self._moved = rows
        self._taken[rows] += 1
        for row in rows[self._taken[rows] & (self._taken[rows] - 1) == 0].tolist():
            self._passed[row].append((float(self.time[row]), self._sizes[:, row].copy()))

    def _pass_stops(self, rows: np.ndarray, landed: np.ndarray) -> None:
        super()._pass_stops(rows, landed)
        with np.errstate(all="ignore"):
            for row in self._moved.tolist():
                self._arrive(row)

    def _arrive(self, row: int) -> None:
        self._settled[row] = frozenset()
        time = float(self.time[row])
        near = self._switches[row].nearness(time)
        while self._stops[row, self._next_stop[row]] <= time + near:
            self._next_stop[row] += 1
        met = self._found[row].pass_by(time + near) | self._met.get(row, frozenset())
        self._first[row] = self._found[row].next
        try:
            if met and self._settle(row, met):
                self._found[row].follow(time)
        except LostError:
            self.status[row] = Status.SOLVER_FAILED
        self._first[row] = self._found[row].next

    def _settle(self, row: int, met: frozenset[int]) -> bool:
        """New sides of a row that is on these surfaces; do they differ from the old ones? Raises LostError."""
        before = self._sides[:, row].copy()
        values = [np.array([value]) for value in self._here(row)]
        self._sides[:, row] = self._switches[row].settle(
            float(self.time[row]), values, before, met, lambda sides: self._trial(row, sides)
        )
        self._settled[row] = met
        return bool((before != self._sides[:, row]).any())

    def _trial(self, row: int, sides: np.ndarray) -> tuple[Path, float, float] | None:
        kept, begin = self._sides[:, row].copy(), float(self.time[row])
        rows = np.array([row])
        gap = float(self._stop(rows)[0]) - begin
        width = TRIAL * min(float(self._width[row]), gap)
        self._sides[:, row] = sides
        try:
            with np.errstate(all="ignore"):
                for _ in range(TRIALS):
                    pieces, _, error = self._attempt(rows, np.array([width]))
                    if error[0] <= 1:
                        return self._path(row, pieces[:, 0], begin, width), begin, begin + width
                    width *= SHORTER
        finally:
            self._sides[:, row] = kept
        return None

    def _path(self, row: int, piece: np.ndarray, begin: float, width: float) -> Path:
        """Values along a step (D, p + 1) that begins where the history ends."""

        def path(times: np.ndarray) -> list[np.ndarray]:
            own = [chebyshev.chebval(2 * (times - begin) / width - 1, one) for one in piece]
            return [*own, *self._late(row, times)]

        return path

    def _late(self, row: int, times: np.ndarray) -> list[np.ndarray]:
        return [
            self.history.at(np.array([row]), component, times[None] - self._delays[delay, row])[0]
            for _, component, delay in self._problem.system.delayed
        ]

    def _here(self, row: int) -> list[float]:
        late = self._late(row, self.time[row : row + 1])
        return [*self.state[:, row].tolist(), *(float(values[0]) for values in late)]

    def _judge(self, rows: np.ndarray, accepted: np.ndarray, end: float) -> None:
        failed = self.status[rows] == Status.SOLVER_FAILED
        super()._judge(rows, accepted, end)
        stuck = rows[self.status[rows] == Status.DIVERGED]
        lost = [row for row in stuck.tolist() if not self._has_grown(row)]
        self.status[rows[failed]] = Status.SOLVER_FAILED
        self.status[lost] = Status.SOLVER_FAILED

    def _has_grown(self, row: int) -> bool:
        half = (self._passed[row][0][0] + float(self.time[row])) / 2
        before = [sizes for time, sizes in self._passed[row] if time <= half][-1]
        return bool((np.abs(self.state[:, row]) > RUNAWAY * before)[before > 0].any())
