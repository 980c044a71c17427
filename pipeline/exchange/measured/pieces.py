"""Measured trajectories cut into rows of one grid, and shared out among the splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....data.base.errors import DataError
from .measurements import Measurements, Trajectory
from .regular import Regular, regular

# Times that agree to this part of a sampling interval are the same grid.
SAME_GRID = 1e-6


@dataclass(frozen=True)
class LeftOut:
    """What pieces of `length` samples leave over: whole trajectories that are shorter, and samples at ends."""

    trajectories: int = 0
    samples: int = 0


@dataclass(frozen=True)
class Piece:
    """Some samples of a trajectory of the file with number `source`."""

    source: int
    trajectory: Trajectory
    start: int
    stop: int

    @property
    def time(self) -> np.ndarray:
        return self.trajectory.time[self.start : self.stop]


def cut(paths: Sequence[Path], read: list[Measurements], length: int | None) -> tuple[list[Piece], LeftOut]:
    """All rows-to-be, and what is left over.

    Raises DataError if the trajectories differ in length and are not to be cut, or are all too short.
    """
    pieces: list[Piece] = []
    shorter = ends = 0
    for source, measured in enumerate(read):
        for trajectory in measured.trajectories:
            samples = len(trajectory.time)
            size = length or samples
            starts = range(0, samples - size + 1, size)
            if samples < size:
                shorter += 1
            else:
                ends += samples % size
            pieces += [Piece(source, trajectory, start, start + size) for start in starts]
    sizes = {len(piece.time) for piece in pieces}
    if len(sizes) > 1:
        raise DataError(
            f"trajectories have {min(sizes)} to {max(sizes)} samples; say --length N to cut them into pieces of N "
            "samples each"
        )
    if not pieces or sizes == {1}:
        longest = max(len(trajectory.time) for measured in read for trajectory in measured.trajectories)
        raise DataError(
            f"{paths[0]}: the longest trajectory has {longest} samples; expected at least "
            f"{max(2, length or 2)} (--length)"
        )
    return pieces, LeftOut(shorter, ends)


@dataclass(frozen=True)
class Grid:
    """The times (T,) of all rows; are they since the first sample of each, and made regular from rounded ones?"""

    times: np.ndarray
    relative: bool = False
    regular: Regular | None = None


def common_times(paths: Sequence[Path], pieces: list[Piece], read: list[Measurements]) -> Grid:
    """The grid of all rows: their own times if these are the same, else the times since their first samples.

    Where these differ by the rounding of the files alone, they are the regular times that were rounded. Raises
    DataError if they differ by more.
    """
    first = pieces[0].time
    slack = SAME_GRID * np.diff(first).min()
    if all(np.abs(piece.time - first).max() <= slack for piece in pieces):
        return Grid(first)
    relative = first - first[0]
    other = next((p for p in pieces if np.abs(p.time - p.time[0] - relative).max() > slack), None)
    if other is None:
        return Grid(relative, relative=True)
    whole = {(piece.source, piece.trajectory.number): piece.trajectory.time for piece in pieces}
    found = regular(list(whole.values()), [read[source].last_digits for source, _ in whole])
    if found is None:
        own = (other.source, other.trajectory.number) == (pieces[0].source, pieces[0].trajectory.number)
        what = (
            f"the times of trajectory {other.trajectory.number} are not evenly spaced, so that its pieces differ"
            if own
            else f"trajectory {other.trajectory.number} is sampled at other times than the first one of "
            f"{paths[pieces[0].source]}"
        )
        raise DataError(
            f"{paths[other.source]}: {what}; a dataset has one grid: --resample STEP, in the unit of its times, "
            "puts all on one"
        )
    numbers = np.arange(len(first))
    times = numbers * float(found.step.numerator) / float(found.step.denominator)
    if all(abs(piece.time[0] - first[0]) <= found.last_digit for piece in pieces):
        return Grid(first[0] + times, regular=found)
    return Grid(times, relative=True, regular=found)


def split(
    pieces: list[Piece], by: str, shares: tuple[float, float], seed: int
) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """Train, validation and test. Whole trajectories, or parts of each in the order of time, never at random.

    Raises DataError if there are too few to split.
    """
    groups: dict[tuple[int, int], list[Piece]] = {}
    for piece in pieces:
        groups.setdefault((piece.source, piece.trajectory.number), []).append(piece)
    if by == "time":
        parts: tuple[list[Piece], list[Piece], list[Piece]] = ([], [], [])
        for group in groups.values():
            bounds_of = _bounds(len(group), "piece", shares, "choose a smaller --length")
            for part, bounds in zip(parts, bounds_of, strict=True):
                part += group[slice(*bounds)]
        return parts
    mend = "say --split-by time with --length, or --validation 0 --test 0"
    train, validation, test = _bounds(len(groups), "trajectory", shares, mend)
    order = np.random.default_rng(seed).permutation(len(groups))
    keys = list(groups)

    def of(bounds: tuple[int, int]) -> list[Piece]:
        return [piece for place in sorted(order[slice(*bounds)]) for piece in groups[keys[place]]]

    return of(train), of(validation), of(test)


def _bounds(count: int, what: str, shares: tuple[float, float], mend: str) -> list[tuple[int, int]]:
    """[first, last) of train, validation and test; a share above 0 gets at least one."""
    sizes = [max(1, round(share * count)) if share > 0 else 0 for share in shares]
    train = count - sum(sizes)
    if train < 1:
        raise DataError(
            f"{counted(count, what)} cannot be split into train, validation ({shares[0]:g}) and test "
            f"({shares[1]:g}); {mend}"
        )
    return [(0, train), (train, train + sizes[0]), (train + sizes[0], count)]


def counted(count: int, what: str) -> str:
    """ "1 trajectory", "2 trajectories", "3 pieces"."""
    several = f"{what.removesuffix('y')}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what if count == 1 else several}"
