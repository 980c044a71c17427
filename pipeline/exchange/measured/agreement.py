"""What several files of one dataset must have in common: components, units, and no trajectory twice."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ....data.base.errors import DataError
from ....data.folder.stated_grid import increases
from ..derived.duplicates import Trajectories
from .measurements import Measurements
from .time_units import CALENDARS, NONE, Change, TimeUnit


def check_alike(paths: Sequence[Path], read: list[Measurements]) -> None:
    """Raises DataError if components, or the units of anything but the times, are not the same in all files."""
    unsaid = "a unit that it does not state"
    first = read[0]
    for path, measured in zip(paths, read, strict=True):
        if tuple(measured.components) != tuple(first.components):
            raise DataError(
                f"{path}: components are {', '.join(measured.components)}, those of {paths[0]} are "
                f"{', '.join(first.components)}; expected the same in all files"
            )
        for name in sorted({*measured.units, *first.units}):
            ours, theirs = measured.units.get(name), first.units.get(name)
            if ours != theirs:
                raise DataError(
                    f"{path}: {name} is in {ours or 'no unit that it states'}, that of {paths[0]} in "
                    f"{theirs or 'none that it states'}; expected the same in all files: convert one before"
                )
        if measured.angles != first.angles:
            raise DataError(
                f"{path}: angles are in {measured.angles or unsaid}, those of {paths[0]} in "
                f"{first.angles or unsaid} (inDegrees); expected the same in all files: convert one before"
            )


def check_twice(paths: Sequence[Path], read: list[Measurements]) -> None:
    """Raises DataError if two trajectories that move are the same, number by number, whatever their times."""
    seen = Trajectories()
    for source, (path, measured) in enumerate(zip(paths, read, strict=True)):
        # What rests, or is one long gap, gives the same numbers each time it is measured.
        known = [each for each in measured.trajectories if _moves(each.states)]
        seen.add(
            ((each.states.astype(np.float64), np.array(list(each.parameters.values()))) for each in known),
            lambda row, known=known, path=path: f"trajectory {known[row].number} of {path}",
            source,
        )
    seen.check("Leave one out.")


def _moves(states: np.ndarray) -> bool:
    return bool((np.isfinite(states) & (states != states[:1])).any())


def in_one_unit(
    paths: Sequence[Path], read: list[Measurements], asked: str | None
) -> tuple[list[Measurements], str, list[str]]:
    """The same measurements with all times in one unit, that unit, and what was changed, a line a file.

    asked  the unit that the user wants, or says the times are in where a file says nothing; None takes that of the
           files

    Raises DataError where files state different units that do not become each other, or only some of them state one.
    """
    stated = [measured.unit for measured in read]
    target = TimeUnit.of(asked) if asked is not None else next((unit for unit in stated if unit), None)
    if target is None:
        return read, NONE, []
    if asked is None:
        _check_stated(paths, stated, target)
    changed, said = [], []
    for path, measured, unit in zip(paths, read, stated, strict=True):
        change = Change() if unit is None else _between(path, unit, target)
        if unit is not None and str(unit) != str(target) and change != Change():
            said.append(f"{path}: times in {unit} were made {target}")
        changed.append(_with_times(measured, change))
        if change != Change():
            _check_apart(path, unit, target, changed[-1])
    return changed, str(target), said


def _check_stated(paths: Sequence[Path], stated: list[TimeUnit | None], target: TimeUnit) -> None:
    for path, unit in zip(paths, stated, strict=True):
        if unit is None:
            first = paths[next(place for place, unit in enumerate(stated) if unit)]
            raise DataError(
                f"{path}: says nothing of the unit of its times, those of {first} are in {target}; say in which unit "
                "such times are with --time-unit"
            )
        if unit.since and unit.calendar not in CALENDARS:
            raise DataError(
                f"{path}: times are {unit} in the calendar {unit.calendar}, which a dataset cannot say; "
                f"--time-unit {unit.name} takes their numbers, and forgets the date"
            )


def _between(path: Path, unit: TimeUnit, target: TimeUnit) -> Change:
    if (unit.name, unit.since, unit.calendar) == (target.name, target.since, target.calendar):
        return Change()
    factor = Fraction(1) if unit.name == target.name else None
    if factor is None and unit.seconds and target.seconds:
        factor = unit.seconds / target.seconds
    if factor is None:
        raise DataError(
            f"{path}: times are in {unit}, expected {target}, and how long the one is in the other is not known; "
            "convert them before"
        )
    if target.since is None:
        return Change(factor)
    ours, theirs = unit.date(), target.date()
    if target.seconds is None or ours is None or theirs is None:
        raise DataError(
            f"{path}: times are in {unit}, expected {target}; --time-unit {target.name} forgets the dates, if the "
            "times are not to be compared"
        )
    between = ours - theirs
    seconds = between.days * 86400 + between.seconds + Fraction(between.microseconds, 10**6)
    return Change(factor, seconds / target.seconds)


def _check_apart(path: Path, unit: TimeUnit | None, target: TimeUnit, changed: Measurements) -> None:
    """Raises DataError if times that were apart are no more, as a date far off leaves them few digits."""
    if not all(increases(each.time) for each in changed.trajectories):
        raise DataError(
            f"{path}: times in {unit} cannot be told apart in {target}; take something off them before, such as the "
            "first"
        )


def _with_times(measured: Measurements, change: Change) -> Measurements:
    if change == Change():
        return measured
    made: dict[int, np.ndarray] = {}
    trajectories = []
    for each in measured.trajectories:
        # Trajectories that share their times go on sharing them.
        time = made.setdefault(id(each.time), change(each.time))
        # As many fewer in a longer unit as there are fewer of these.
        slopes = None if each.slopes is None else each.slopes / float(change.factor)
        trajectories.append(replace(each, time=time, slopes=slopes))
    fine, coarse = (digit * float(change.factor) for digit in measured.last_digits)
    return replace(measured, trajectories=trajectories, last_digits=(fine, coarse))
