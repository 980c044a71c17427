"""Stored rows beside the same ones integrated again: what is off, and how much of them could be judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.shard.schema import Status
from ...data.shard.shard import Shard
from ..dynamics.systems import System
from .allowance import Allowance, Expected
from .giving_up import gives_up
from .reference import Reference

# An error of so much of a component's scale would have been found.
FINE, COARSE = 1e-6, 1e-3


@dataclass(frozen=True)
class Compared:
    """Of some rows: the largest deviation, and as a share of what is allowed; how many numbers were stored, and how
    many of them could be judged; rows of which some could not be at all; what is wrong with a row."""

    largest: float = 0.0
    share: float = 0.0
    numbers: int = 0
    judged: int = 0
    coarsely: int = 0
    lost: int = 0
    wrong: str = ""

    def __add__(self, other: "Compared") -> "Compared":
        return Compared(
            max(self.largest, other.largest),
            max(self.share, other.share),
            self.numbers + other.numbers,
            self.judged + other.judged,
            self.coarsely + other.coarsely,
            self.lost + other.lost,
            self.wrong or other.wrong,
        )


def compare(
    shard: Shard,
    rows: np.ndarray,
    stored: dict[str, Any],
    system: System,
    solved: Reference,
    allowance: Allowance,
) -> Iterator[tuple[int, Compared]]:
    """(row, what came of it) for rows of a shard and the same ones integrated again."""
    for index, row in enumerate(rows.tolist()):
        expected = allowance.of(index)
        failed = bool(shard.status[row] != Status.OK)
        fails = solved.status[index] != Status.OK or not _within(shard, expected)
        if not failed and not fails:
            yield row, _beside(shard, row, expected)
        elif not failed:
            yield row, _failing(shard, row, solved.status[index], expected)
        elif fails or not allowance.tells_state:
            # It may be the noise, which is not known, that was beyond the stored type's range.
            yield row, Compared()
        elif _gives_up(shard, row, stored, system, solved, index):
            yield row, Compared()
        else:
            yield row, Compared(wrong="is stored as failed, but does not fail when integrated again")


def _within(shard: Shard, expected: dict[str, Expected]) -> bool:
    """Are all numbers of a row that are known within the range of the stored type?"""
    largest = np.finfo(shard.state.dtype).max
    return all(
        bool((np.abs(each.values[np.isfinite(each.allowed)]) <= largest).all()) for each in expected.values()
    )


def _failing(shard: Shard, row: int, status: int, expected: dict[str, Expected]) -> Compared:
    """Of a row that is stored as sound, and fails."""
    numbers = sum(each.values.size for each in expected.values())
    if status == Status.STEP_LIMIT:
        # The engine that integrates it again gives up, which says nothing of the row.
        return Compared(numbers=numbers, lost=1)
    return Compared(numbers=numbers, wrong="is stored as sound, but fails when integrated again")


def _beside(shard: Shard, row: int, expected: dict[str, Expected]) -> Compared:
    """Of a sound row."""
    total, least = Compared(), float(np.finfo(shard.state.dtype).smallest_subnormal)
    for name, each in expected.items():
        found = np.asarray(shard.variables[name])[row].astype(np.float64)
        followed = np.isfinite(each.allowed)
        with np.errstate(all="ignore"):
            fine, coarse = (
                int(np.count_nonzero(each.allowed <= np.where(each.scale > 0, part * each.scale, least)))
                for part in (FINE, COARSE)
            )
            deviation = np.where(followed, np.abs(found - each.values), 0.0)
            share = np.where(followed & (deviation != 0), deviation / each.allowed, 0.0)
        # What is no number matches nothing, not even where nobody can tell what should be there.
        share[~np.isfinite(found)] = np.inf
        worst = np.unravel_index(int(np.argmax(share)), share.shape)
        wrong = ""
        if not share[worst] <= 1:
            off = (
                f"off by {deviation[worst]:.1e} at time {shard.time[worst[0]]:.6g}, allowed are "
                f"{each.allowed[worst]:.1e}"
                if np.isfinite(found[worst])
                else f"{found[worst]} at time {shard.time[worst[0]]:.6g}, though the row is stored as sound"
            )
            what = "the states" if name == "state" else name
            wrong = f"{shard.components[worst[1]]} is {off}: {what} do not follow from the equations"
        lost = int(not followed.all() and name == "state")
        largest = float(np.fmax.reduce(deviation, axis=None, initial=0.0))
        total += Compared(largest, float(share[worst]), found.size, fine, coarse, lost, wrong)
    return total


def _gives_up(
    shard: Shard, row: int, stored: dict[str, Any], system: System, solved: Reference, index: int
) -> bool:
    """Does the engine that made a row not bring it to an end, though the other one does?

    Where errors cannot have led the other one astray, a row that is stored as diverged should have. What is stored as
    given up has been looked at before.
    """
    hidden = not np.isfinite(solved.errors.size[index]).all()
    diverged = shard.status[row] == Status.DIVERGED
    return bool(diverged and hidden and gives_up(shard, np.array([row]), stored, system)[0])
