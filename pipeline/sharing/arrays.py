"""Named arrays -> measured trajectories, whichever kind of file the arrays come from."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ...data.errors import DataError
from .measurements import (
    STATE_NAMES,
    Columns,
    Measurements,
    Trajectory,
    check_trajectory,
    regular_times,
    time_name,
)

Arrays = Mapping[str, Callable[[], np.ndarray]]
"""Name -> a function that reads the array."""
SHOWN_NAMES = 40


def from_arrays(path: Path, arrays: Arrays, columns: Columns) -> Measurements:
    """The trajectories of one array of states, or of one for each component.

    Raises DataError that names the variable that is missing or of another shape, and what reading an array raises.
    """
    if columns.trajectory:
        raise DataError(
            f"{path}: --trajectory {columns.trajectory} is for tables; in arrays a trajectory is a row"
        )
    components, state, values = _states(path, arrays, columns)
    if 0 in values.shape:
        raise DataError(
            f"{path}: the states have shape {values.shape} (trajectory, time, component): no numbers"
        )
    count, samples = values.shape[:2]
    timed = time_name(path, arrays, columns)
    time = _numbers(path, arrays, timed) if timed else regular_times(samples, columns.step)
    if time.shape not in ((samples,), (count, samples)):
        raise DataError(
            f"{path}: {timed} has shape {time.shape}, expected ({samples},), a time for each sample of "
            f"states {values.shape}"
        )
    time = time.astype(np.float64)
    parameters = {}
    for new, old in columns.parameters.items():
        constants = _numbers(path, arrays, old)
        if constants.shape not in ((), (1,), (count,)):
            raise DataError(
                f"{path}: {old} has shape {constants.shape}, expected one number a trajectory ({count},)"
            )
        parameters[new] = np.broadcast_to(constants, (count,))
    trajectories = [
        Trajectory(
            number,
            time if time.ndim == 1 else time[number],
            values[number],
            {name: float(constants[number]) for name, constants in parameters.items()},
        )
        for number in range(count)
    ]
    for trajectory in trajectories if time.ndim == 2 or parameters else trajectories[:1]:
        check_trajectory(path, trajectory)
    used = {timed, *columns.parameters.values(), *([state, "component"] if state else components.values())}
    dtype = "float32" if values.dtype == np.float32 else "float64"
    unused = tuple(name for name in arrays if name not in used)
    return Measurements(components, trajectories, dtype, state, timed, None, unused)


def _states(path: Path, arrays: Arrays, columns: Columns) -> tuple[Mapping[str, str], str | None, np.ndarray]:
    """Components (new name -> name in the file), the array that has them all, if one does, and values (N, T, D)."""
    name = columns.state or next((name for name in STATE_NAMES if name in arrays), None)
    if name is None:
        return columns.components, None, _joined(path, arrays, columns)
    values = _numbers(path, arrays, name)
    if not 1 <= values.ndim <= 3:
        raise DataError(f"{path}: {name} has shape {values.shape}, expected (trajectory, time, component)")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim == 2:
        values = values[None]
    known = _labels(arrays, values.shape[2])
    if len(set(known)) < len(known):
        raise DataError(f"{path}: components of {name} have the same name: {', '.join(known[:SHOWN_NAMES])}")
    if not columns.components:
        return dict(zip(known, known, strict=True)), name, values
    places = dict(zip(known, range(len(known)), strict=True))
    missing = [old for old in columns.components.values() if old not in places]
    if missing:
        raise DataError(f"{path}: {name} has no component {', '.join(missing)}; it has {', '.join(known)}")
    return columns.components, name, values[:, :, [places[old] for old in columns.components.values()]]


def _joined(path: Path, arrays: Arrays, columns: Columns) -> np.ndarray:
    """Values (N, T, D) of an array (N, T) or (T,) for each component."""
    if not columns.components:
        raise DataError(
            f"{path}: which variables are the state? It has {_list(arrays)}; say --state NAME or "
            "--components NAME,NAME"
        )
    parts = [_numbers(path, arrays, old) for old in columns.components.values()]
    if len({part.shape for part in parts}) > 1 or not 1 <= parts[0].ndim <= 2:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise DataError(f"{path}: components of shapes {shapes}, expected (trajectory, time) for each")
    joined = np.stack(parts, axis=-1)
    return joined if joined.ndim == 3 else joined[None]


def _labels(arrays: Arrays, count: int) -> list[str]:
    """Names of the components: those that the file gives, else x1, x2, ..."""
    if "component" in arrays:
        labels = arrays["component"]()
        if labels.shape == (count,):
            return [label.decode() if isinstance(label, bytes) else str(label) for label in labels]
    return [f"x{number + 1}" for number in range(count)]


def _numbers(path: Path, arrays: Arrays, name: str) -> np.ndarray:
    """An array as float32, if it is that, or float64."""
    if name not in arrays:
        raise DataError(f"{path}: no variable {name!r}; it has {_list(arrays)}")
    values = np.asarray(arrays[name]())
    if values.dtype.kind not in "iuf":
        raise DataError(f"{path}: {name} has dtype {values.dtype}, expected numbers")
    dtype = np.float32 if values.dtype.kind == "f" and values.dtype.itemsize == 4 else np.float64
    with np.errstate(all="ignore"):
        return values.astype(dtype)


def _list(arrays: Arrays) -> str:
    names = list(arrays)
    return ", ".join(names[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "") or "none"
