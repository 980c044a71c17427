"""Tables of measured trajectories: CSV with a header, a line a sample."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from ...data.errors import DataError
from ...data.format import CLEAN_STATE, DERIVATIVE, DIAGNOSTICS, ORIGIN
from .measurements import (
    TRAJECTORY_NAMES,
    Columns,
    Measurements,
    Trajectory,
    check_trajectory,
    regular_times,
    time_name,
)

# Columns that are neither state nor parameter unless they are asked for, and those of what `export` writes beside the
# states, as "derivative:x".
BOOKKEEPING = ("status", *ORIGIN, *DIAGNOSTICS)
BESIDE = (f"{CLEAN_STATE}:", f"{DERIVATIVE}:")
GAPS = {"", "na", "n/a", "null", "nan"}
# What pandas calls a column of row numbers when it reads back its own table.
INDEX = ("", "Unnamed: 0")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
SHOWN = 80


@dataclass(frozen=True)
class _Header:
    names: list[str]
    delimiter: str
    lines: int


def read_table(path: Path, columns: Columns) -> Measurements:
    """Trajectories told apart by a column, or one alone. Raises DataError, csv.Error or OSError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, file, columns)
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no UTF-8; save it as UTF-8") from None


def _read(path: Path, file: TextIO, columns: Columns) -> Measurements:
    if columns.state:
        raise DataError(
            f"{path}: --state {columns.state} is for arrays; of a table say --components NAME,NAME"
        )
    header = _header(path, file)
    names = header.names
    group = columns.trajectory or next((name for name in TRAJECTORY_NAMES if name in names), None)
    time = time_name(path, names, columns)
    own = {time, group, *INDEX, *BOOKKEEPING, *TRAJECTORY_NAMES, *columns.parameters.values()}
    components = dict(columns.components)
    if not components:
        place = next((place for place, name in enumerate(names) if name in INDEX and place), None)
        if place is not None:
            raise DataError(
                f"{path}: column {place + 1} has no name; give it one, or say --components NAME,NAME"
            )
        components = {name: name for name in names if name not in own and not name.startswith(BESIDE)}
        if not components:
            raise DataError(f"{path}: no column is left for the state; it has {', '.join(names)}")
    wanted = [*components.values(), *columns.parameters.values(), *([time] if time else [])]
    for name in (*wanted, *([group] if group else [])):
        if name not in names:
            raise DataError(f"{path}: no column {name!r}; it has {', '.join(names)}")
    places = [names.index(name) for name in wanted]
    rows: dict[str, list[list[float]]] = {}
    numbers = _Numbers(path, header)
    for line, cells in _lines(path, file, header):
        read = [numbers.read(line, place, cells[place]) for place in places]
        rows.setdefault(cells[names.index(group)].strip() if group else "", []).append(read)
    if not rows:
        raise DataError(f"{path}: no line below the header")
    trajectories = []
    for number, lines in enumerate(rows.values()):
        values = np.array(lines)
        states = values[:, : len(components)]
        constants = values[:, len(components) : len(components) + len(columns.parameters)]
        if not np.array_equal(constants, np.broadcast_to(constants[0], constants.shape), equal_nan=True):
            raise DataError(
                f"{path}: a parameter changes within trajectory {number}; expected one value a trajectory"
            )
        times = values[:, -1] if time else regular_times(len(values), columns.step)
        parameters = dict(zip(columns.parameters, constants[0].tolist(), strict=True))
        trajectories.append(Trajectory(number, times, states, parameters))
        check_trajectory(path, trajectories[-1])
    used = {*wanted, group}
    unused = tuple(name or "column 1 (it has no name)" for name in names if name not in used)
    return Measurements(components, trajectories, "float64", None, time, group, unused)


def _header(path: Path, file: TextIO) -> _Header:
    """The first line that is neither empty nor a comment. Raises DataError if it names no columns."""
    line, count = "", 0
    for line in iter(file.readline, ""):
        count += 1
        if line.strip() and not line.startswith("#"):
            break
    delimiter = max(",;\t", key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if not any(names) or line.startswith("#") or any(_is_number(name) for name in names):
        raise DataError(
            f"{path}: line {count}: expected a header with a name for each column, got {line[:SHOWN]!r}"
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: line {count}: more than one column is called {', '.join(twice)}")
    return _Header(names, delimiter, count)


def _lines(path: Path, file: TextIO, header: _Header) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line below the header."""
    reader = csv.reader(file, delimiter=header.delimiter)
    for cells in reader:
        line = header.lines + reader.line_num
        if not cells:
            continue
        if len(cells) != len(header.names):
            raise DataError(f"{path}: line {line}: {len(cells)} cells, expected {len(header.names)}")
        yield line, cells


class _Numbers:
    """Reads cells; a file has one decimal sign, a point or, between semicolons or tabs, a comma."""

    def __init__(self, path: Path, header: _Header) -> None:
        self._path, self._header = path, header
        self._signs: dict[str, str] = {}

    def read(self, line: int, place: int, cell: str) -> float:
        """A cell's number; an empty one, or NA, is NaN."""
        text = cell.strip()
        if text.casefold() in GAPS:
            return np.nan
        if self._header.delimiter != "," and DECIMAL_COMMA.fullmatch(text):
            self._note(line, ",", text)
            text = text.replace(",", ".")
        elif "." in text:
            self._note(line, ".", text)
        if "_" not in text and text.isascii():
            try:
                return float(text)
            except ValueError:
                pass
        name = self._header.names[place]
        raise DataError(f"{self._path}: line {line}: {name} is {cell!r:.40}, expected a number")

    def _note(self, line: int, sign: str, text: str) -> None:
        self._signs.setdefault(sign, text)
        if len(self._signs) > 1:
            shown = " and ".join(repr(found)[:40] for found in self._signs.values())
            raise DataError(
                f"{self._path}: line {line}: the file has numbers like {shown}; expected one sign for decimals"
            )


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text.replace(",", "."))))
    except ValueError:
        return False
