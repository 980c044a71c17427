"""Files of the benchmark of dysts: a JSON object, packed with gzip or not, of a time series for each system."""

import gzip
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....data.base.errors import DataError
from ....data.base.suggestions import did_you_mean, listed
from ....data.folder.stated_grid import increases
from ....data.shard.limits import MAX_TEXT_FILE_BYTES
from .exact import as_floats
from .kinds import GZIP, HEAD_BYTES, told
from .measurements import Trajectory
from .reading import check_regular

FORM = 'expected {"SYSTEM": {"values": [...], "time": [...]}, ...} as in dysts/data/*.json.gz'
# Folders are called like systems, and studies take no longer labels.
LONGEST = 60


def read_series(path: Path, systems: Sequence[str] = ()) -> dict[str, Trajectory]:
    """The series of each of these systems, or of all, with states (T, D) also where the file has one component.

    Raises DataError that names file and system where something is wrong.
    """
    text = _text(path)
    try:
        found = json.loads(text, object_pairs_hook=lambda pairs: _once(path, pairs))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no JSON ({error}); {FORM}") from None
    if not isinstance(found, dict) or not found:
        raise DataError(f"{path}: holds {_shown(found)}; {FORM}")
    for name in systems:
        if name not in found:
            raise DataError(
                f"{path}: has no series of {name!r:.80}; it has {listed(found)}.{did_you_mean(name, found)}"
            )
    chosen = {name: found[name] for name in systems or found}
    return {name: _series(path, number, name, entry) for number, (name, entry) in enumerate(chosen.items())}


def _text(path: Path) -> str:
    check_regular(path)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    is_packed = head.startswith(GZIP)
    try:
        with gzip.open(path) if is_packed else path.open("rb") as file:
            content = file.read(MAX_TEXT_FILE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); is it whole? Fetch it anew") from None
    if len(content) > MAX_TEXT_FILE_BYTES:
        raise DataError(
            f"{path}: {'unpacks to' if is_packed else 'has'} more than {MAX_TEXT_FILE_BYTES:,} bytes, which are all "
            "that is read; name a file with fewer or shorter series"
        )
    begin = content[:HEAD_BYTES].lstrip()
    if not begin.startswith((b"{", b"[")) and (what := told(path, begin)) is not None:
        raise DataError(f"{path}: {what}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 ({error}); {FORM}") from None


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: {twice!r:.80} is there twice; expected each name once")
    return found


def _series(path: Path, number: int, name: str, entry: Any) -> Trajectory:
    if not (name.isascii() and name.isidentifier() and len(name) <= LONGEST):
        raise DataError(
            f"{path}: a system is called {name!r:.80}; expected a letter and at most {LONGEST - 1} letters, digits "
            "and _, for folders are called like it"
        )
    if not isinstance(entry, dict) or not {"values", "time"} <= entry.keys():
        raise DataError(f"{path}: {name} has {_shown(entry)}; {FORM}")
    states, time = (_numbers(path, name, key, entry[key]) for key in ("values", "time"))
    if states.ndim == 1:
        states = states[:, None]
    if states.ndim != 2 or 0 in states.shape or time.shape != states.shape[:1]:
        raise DataError(
            f"{path}: {name} has values of shape {states.shape} and time of shape {time.shape}; expected (points,) "
            "or (points, components), and a time for each point"
        )
    if not increases(time):
        raise DataError(f"{path}: the times of {name} do not increase; expected each after that before")
    lost = np.argwhere(~np.isfinite(states))
    if len(lost):
        point, place = lost[0]
        raise DataError(
            f"{path}: {name} has the value {states[point, place]} at point {point} (from 0); expected finite "
            "numbers. Leave it out: name the other systems with --system"
        )
    return Trajectory(number, time, states, {})


def _numbers(path: Path, name: str, key: str, values: Any) -> np.ndarray:
    try:
        # None and text make arrays of objects or of text, which as_floats refuses.
        array = np.array(values)
    except ValueError:
        raise DataError(f"{path}: {key} of {name} are lists of several lengths; {FORM}") from None
    return as_floats(array, f"{path}: {key} of {name}")


def _shown(value: Any) -> str:
    """What stands where something else was expected."""
    if isinstance(value, dict):
        return f"an object of {', '.join(map(repr, list(value)[:5])) or 'nothing'}"[:200]
    return f"{type(value).__name__} {value!r:.40}"
