"""Where the names of a table's columns are, and what parts its cells: of CSV, and of OpenSim's files."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from ....data.base.errors import DataError
from .numbers import is_number

SHOWN = 80
SPACES = " "
# Lines among which a header is looked for that says itself where it ends.
MAX_HEADER = 200
END = "endheader"
MARKERS = "PathFileType"
# What a header of OpenSim says of all angles in the file.
ANGLES = "indegrees"
DEGREES = {"yes": "degrees", "no": "radians"}


@dataclass(frozen=True)
class Header:
    """What stands above a table.

    names      of the columns
    delimiter  what parts them (SPACES: any white space)
    lines      number of the lines up to here
    unit       of all columns but the times, where it is said once for all
    angles     "degrees" or "radians", where the header says in which of them angles are; which columns are angles it
               does not say
    """

    names: list[str]
    delimiter: str
    lines: int
    unit: str | None = None
    angles: str | None = None


def read_header(path: Path, file: TextIO) -> tuple[Header, Iterator[str]]:
    """The header of a table, and the lines below it. Raises DataError if it names no columns."""
    lines = list(islice(file, MAX_HEADER))
    if lines and lines[0].startswith(MARKERS):
        return _markers(path, lines), chain(lines[5:], file)
    ends = [number for number, line in enumerate(lines, 1) if line.strip().casefold() == END]
    count = ends[0] if ends else 0
    angles = _angles(path, lines[:count])
    rest = chain(lines[count:], file)
    line = ""
    for line in rest:
        count += 1
        if line.strip() and not line.startswith("#"):
            break
    delimiter = max(",;\t", key=line.count)
    following = next(rest, "")
    below = chain([following], rest) if following else rest
    if delimiter not in line and len(line.split()) > 1 and len(following.split()) > 1:
        delimiter = SPACES
    if not line.strip():
        raise DataError(
            f"{path}: is empty; expected a header with a name for each column, and a line a sample"
        )
    names = [name.strip() for name in next(iter(_cells([line], delimiter)), [])]
    if not any(names) or line.startswith("#") or any(is_number(name) for name in names):
        raise DataError(
            f"{path}: line {count}: expected a header with a name for each column, got {line[:SHOWN]!r}"
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: line {count}: more than one column is called {', '.join(twice)}")
    return Header(names, delimiter, count, angles=angles), below


def _angles(path: Path, lines: list[str]) -> str | None:
    """In what angles are, by a line `inDegrees=yes` or `no` of the header; None if there is none."""
    for number, line in enumerate(lines, 1):
        key, equals, value = (part.strip() for part in line.partition("="))
        if equals and key.casefold() == ANGLES:
            if value.casefold() not in DEGREES:
                raise DataError(f"{path}: line {number}: {key} is {value!r:.40}, expected yes or no")
            return DEGREES[value.casefold()]
    return None


def _markers(path: Path, lines: list[str]) -> Header:
    """The header of markers in space (.trc): a line with the marker above its three columns X1, Y1, Z1."""
    if len(lines) < 5:
        raise DataError(f"{path}: ends within its header")
    markers = [name.strip() for name in lines[3].rstrip("\r\n").split("\t")]
    axes = [name.strip() for name in lines[4].rstrip("\r\n").split("\t")]
    while axes and not axes[-1]:
        axes.pop()
    # The number of the frame is no more than that of the line.
    names = ["", "time"]
    for place in range(2, len(axes)):
        marker = next(
            (markers[back] for back in range(min(place, len(markers) - 1), 1, -1) if markers[back]), ""
        )
        names.append(f"{marker}_{axes[place].rstrip('0123456789').lower()}")
    if len(set(names)) < len(names):
        raise DataError(f"{path}: more than one column is called {max(names, key=names.count)}")
    keys, said = ([cell.strip() for cell in line.split("\t")] for line in lines[1:3])
    return Header(names, "\t", 5, dict(zip(keys, said, strict=False)).get("Units") or None)


def read_lines(path: Path, lines: Iterator[str], header: Header) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line below the header."""
    count = len(header.names)
    reader = _cells(lines, header.delimiter)
    for cells in reader:
        line = header.lines + reader.line_num
        if not cells or (header.delimiter == "\t" and not any(cells)):
            continue
        if len(cells) == count + 1 and not cells[-1] and header.delimiter == "\t":
            # A tab at the end of the line.
            cells = cells[:-1]
        if len(cells) != count:
            raise DataError(f"{path}: line {line}: {len(cells)} cells, expected {count}")
        yield line, cells


class _Spaces:
    """A reader, as those of `csv`, of cells with any white space between them."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self.line_num = iter(lines), 0

    def __iter__(self) -> "_Spaces":
        return self

    def __next__(self) -> list[str]:
        line = next(self._lines)
        self.line_num += 1
        return line.split()


def _cells(lines: Iterable[str], delimiter: str) -> Any:
    return _Spaces(lines) if delimiter == SPACES else csv.reader(lines, delimiter=delimiter)
