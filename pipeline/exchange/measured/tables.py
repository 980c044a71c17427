"""Tables of measured trajectories: CSV with a header, a line a sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

import numpy as np

from ....data.base.errors import DataError
from ....data.base.suggestions import did_you_mean, listed
from ....data.shard.schema import CLEAN_STATE, DERIVATIVE, DIAGNOSTICS, ORIGIN
from .headers import read_header, read_lines
from .measurements import (
    TRAJECTORY_NAMES,
    Columns,
    Measurements,
    Trajectory,
    check_time,
    check_trajectory,
    regular_times,
    time_name,
    without_unit,
)
from .numbers import Numbers
from .regular import last_digits
from .slopes import columns_of_slopes
from .time_units import TimeUnit

# Columns that are neither state nor parameter unless they are asked for, and those of what `export` writes beside the
# states, as "derivative:x".
BOOKKEEPING = ("status", *ORIGIN, *DIAGNOSTICS)
BESIDE = (f"{CLEAN_STATE}:", f"{DERIVATIVE}:")
# How to mend a table whose times begin anew.
ONE_BY_ONE = (
    "; of trajectories that follow one another, name the column that tells them apart with --trajectory NAME, or add "
    "one that numbers them"
)
# What pandas calls a column of row numbers when it reads back its own table.
INDEX = ("", "Unnamed: 0")


def read_table(path: Path, columns: Columns) -> Measurements:
    """Trajectories told apart by a column, or one alone. Raises DataError, csv.Error or OSError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, file, columns)
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no UTF-8; save it as UTF-8") from None


class _Names:
    """Names of columns, where one with a unit, as "mass [kg]", goes by the name alone, too."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self._path, self.all = path, names

    def full(self, name: str) -> str:
        """The name in the header. Raises DataError if there is none."""
        if name in self.all:
            return name
        short = [full for full in self.all if without_unit(full)[0] == name]
        if len(short) != 1:
            raise DataError(
                f"{self._path}: no column {name!r}; it has {listed(self.all)}.{did_you_mean(name, self.all)}"
            )
        return short[0]

    def short(self, name: str) -> str:
        """What a component is called of that column: its name without the unit, where that tells it from others."""
        short = without_unit(name)[0]
        return name if sum(short in (each, without_unit(each)[0]) for each in self.all) > 1 else short


@dataclass(frozen=True)
class _Chosen:
    """Which columns are what, by their names in the header; `parameters` and `components` by the names they get."""

    time: str | None
    group: str | None
    parameters: dict[str, str]
    components: dict[str, str]
    slopes: Sequence[str]

    @classmethod
    def of(cls, path: Path, names: _Names, columns: Columns) -> Self:
        """What a user names, and what is known by its name. Raises DataError if there is no such column."""
        group = columns.trajectory or next((name for name in TRAJECTORY_NAMES if name in names.all), None)
        time = time_name(names.all, columns)
        check_time(path, names.all, time, columns)
        group, time = group and names.full(group), time and names.full(time)
        parameters, components, derivatives = (
            {new: names.full(old) for new, old in given.items()}
            for given in (columns.parameters, columns.components, columns.derivatives)
        )
        if not components:
            # A velocity may be a component, and the derivative of another.
            rates = set(derivatives.values()) - {names.full(name) for name in derivatives}
            components = _rest(path, names, {time, group, *parameters.values(), *rates})
        called = {old: new for new, old in components.items()}
        rates = {called.get(name, name): old for name, old in derivatives.items()}
        return cls(time, group, parameters, components, columns_of_slopes(path, rates, components))


def _read(path: Path, file: TextIO, columns: Columns) -> Measurements:
    if columns.state or columns.dimensions:
        option = f"--state {columns.state}" if columns.state else "--dimensions"
        raise DataError(f"{path}: {option} is for arrays; of a table say --components NAME,NAME")
    header, below = read_header(path, file)
    names = _Names(path, header.names)
    chosen = _Chosen.of(path, names, columns)
    time, group, components, parameters = chosen.time, chosen.group, chosen.components, chosen.parameters
    slopes = chosen.slopes
    wanted = [*components.values(), *parameters.values(), *slopes, *([time] if time else [])]
    places = [names.all.index(name) for name in wanted]
    grouped = names.all.index(group) if group else None
    rows: dict[str, list[list[float]]] = {}
    lines: dict[str, list[int]] = {}
    numbers = Numbers(path, header.names, header.delimiter, columns.decimal)
    for line, cells in read_lines(path, below, header):
        read = [numbers.read(line, place, cells[place]) for place in places]
        key = cells[grouped].strip() if grouped is not None else ""
        rows.setdefault(key, []).append(read)
        lines.setdefault(key, []).append(line)
    if not rows:
        raise DataError(f"{path}: no line below the header")
    trajectories = []
    for number, (key, of_key) in enumerate(rows.items()):
        values = np.array(of_key)
        constants = values[:, len(components) : len(components) + len(parameters)]
        if not np.array_equal(constants, np.broadcast_to(constants[0], constants.shape), equal_nan=True):
            raise DataError(
                f"{path}: a parameter changes within trajectory {number}; expected one value a trajectory"
            )
        times = values[:, -1] if time else regular_times(len(values), columns.step)
        told = dict(zip(parameters, constants[0].tolist(), strict=True))
        rates = values[:, len(components) + len(parameters) :][:, : len(slopes)] if slopes else None
        trajectories.append(Trajectory(number, times, values[:, : len(components)], told, rates))
        check_trajectory(
            path,
            trajectories[-1],
            lambda sample, key=key: f"line {lines[key][sample]}",
            "" if group else ONE_BY_ONE,
        )
    digits = last_digits(np.concatenate([each.time for each in trajectories])) if time else (0.0, 0.0)
    unit = without_unit(time)[1] if time else None
    stated = {new: without_unit(old)[1] or header.unit for new, old in (components | parameters).items()}
    units = {new: each for new, each in stated.items() if each}
    used = {*wanted, group}
    unused = tuple(name or "column 1 (it has no name)" for name in names.all if name not in used)
    return Measurements(
        components, trajectories, "float64", None, time, group, unused,
        TimeUnit.of(unit) if unit else None, units, digits, numbers.remarks(),
        header.angles,
    )  # fmt: skip


def _rest(path: Path, names: _Names, taken: set[str | None]) -> dict[str, str]:
    """The columns that are the state where none is named, by name: all that are nothing else."""
    own = {*taken, *INDEX, *BOOKKEEPING, *TRAJECTORY_NAMES}
    place = next((place for place, name in enumerate(names.all) if name in INDEX and place), None)
    if place is not None:
        raise DataError(f"{path}: column {place + 1} has no name; give it one, or say --components NAME,NAME")
    chosen = [name for name in names.all if name not in own and not name.startswith(BESIDE)]
    if not chosen:
        raise DataError(f"{path}: no column is left for the state; it has {listed(names.all)}")
    return {names.short(name): name for name in chosen}
