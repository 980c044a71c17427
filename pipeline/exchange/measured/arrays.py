"""Named arrays -> measured trajectories, whichever kind of file the arrays come from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....data.base.errors import DataError
from ....data.base.suggestions import did_you_mean, listed
from .axes import Axes, is_time
from .exact import as_floats
from .measurements import (
    STATE_NAMES,
    Columns,
    Measurements,
    Trajectory,
    check_time,
    check_trajectory,
    regular_times,
    time_name,
)
from .regular import last_digits
from .slopes import columns_of_slopes
from .stated_units import stated_units
from .time_units import TimeUnit
from .variables import Variable, Variables

# How to mend times of an array that begin anew.
ALONG_AN_AXIS = (
    "; of trajectories that follow one another, give each a place along an axis (trajectory, time, component)"
)


@dataclass(frozen=True)
class _States:
    """Values (N, T, D) of the components (new name -> name in the file), and the units of those that have one.

    array  that has them all; None where each is an array
    names  the variable that named them, if one did
    chosen  places of the components in that array
    """

    components: Mapping[str, str]
    values: np.ndarray
    units: Mapping[str, str]
    array: str | None = None
    names: str | None = None
    chosen: tuple[int, ...] = ()


def from_arrays(path: Path, variables: Variables, columns: Columns) -> Measurements:
    """The trajectories of one array of states, or of one for each component.

    Raises DataError that names the variable that is missing or of another shape, and what reading an array raises.
    """
    if columns.trajectory:
        raise DataError(
            f"{path}: --trajectory {columns.trajectory} is for tables; in arrays a trajectory is a row"
        )
    if columns.decimal is not None:
        raise DataError(f"{path}: --decimal {columns.decimal} is for tables; arrays hold numbers, not text")
    timed = _time(variables, columns)
    array = columns.state or next((name for name in STATE_NAMES if name in variables), None)
    axes = Axes(path, variables, columns, timed, "states" if array else "one component")
    states = _states(path, variables, columns, axes, array)
    values, slopes = states.values, _slopes(path, variables, columns, axes, states)
    if 0 in values.shape:
        raise DataError(
            f"{path}: the states have shape {values.shape} (trajectory, time, component): no numbers"
        )
    check_time(path, variables, timed, columns)
    count, samples = values.shape[:2]
    time = regular_times(samples, columns.step)[None]
    digits = (0.0, 0.0)
    if timed:
        time, digits = _times(path, variables, timed, axes, values.shape)
    parameters = _parameters(path, variables, columns, axes, count)
    shared = time[0]
    trajectories = [
        Trajectory(
            number,
            shared if len(time) == 1 else time[number],
            values[number],
            {name: float(constants[number]) for name, constants in parameters.items()},
            None if slopes is None else slopes[number],
        )
        for number in range(count)
    ]
    for trajectory in trajectories if len(time) > 1 or parameters else trajectories[:1]:
        check_trajectory(path, trajectory, mend=ALONG_AN_AXIS)
    used = {timed, *columns.parameters.values(), *columns.derivatives.values(), states.array, states.names}
    if states.array is None:
        used |= set(states.components.values())
    dtype = "float32" if values.dtype == np.float32 else "float64"
    unused = tuple(name for name in variables if name not in used)
    units = {**states.units, **_units(path, variables, columns.parameters)}
    unit = _unit(path, variables, timed) if timed else None
    return Measurements(
        states.components,
        trajectories,
        dtype,
        states.array,
        timed,
        None,
        unused,
        unit,
        units,
        last_digits=digits,
    )


def _unit(path: Path, variables: Variables, timed: str) -> TimeUnit | None:
    (unit,) = stated_units(path, timed, variables[timed], 1)
    return TimeUnit.of(unit, variables[timed].said("calendar")) if unit else None


def _units(path: Path, variables: Variables, renamed: Mapping[str, str]) -> dict[str, str]:
    """Units, by new name, of arrays that are one thing each."""
    return {
        new: unit
        for new, old in renamed.items()
        for unit in stated_units(path, old, variables[old], 1)
        if unit
    }


def _time(variables: Variables, columns: Columns) -> str | None:
    """Name of the times: one that is usual, else that of the one variable that says what it is."""
    name = time_name(variables, columns)
    if name is not None or columns.step is not None:
        return name
    taken = {*columns.components.values(), *columns.parameters.values(), *columns.derivatives.values()}
    saying = [name for name, variable in variables.items() if is_time(variable) and name not in taken]
    return saying[0] if len(saying) == 1 else None


def _times(
    path: Path, variables: Variables, timed: str, axes: Axes, shape: tuple[int, ...]
) -> tuple[np.ndarray, tuple[float, float]]:
    """Times (1 or N, T) float64, and their last digits."""
    stored, found = axes.arrange(timed, _numbers(path, variables, timed), "times")
    axes.check_along(timed, found)
    count, samples = shape[:2]
    if stored.shape not in ((1, samples), (count, samples)):
        flat = stored[0] if len(stored) == 1 else stored
        raise DataError(
            f"{path}: {timed} has shape {flat.shape}, expected ({samples},), a time for each sample of "
            f"states {shape}. If their dimensions have another order, say it with --dimensions"
        )
    return stored.astype(np.float64), last_digits(stored)


def _parameters(
    path: Path, variables: Variables, columns: Columns, axes: Axes, count: int
) -> dict[str, np.ndarray]:
    parameters = {}
    for new, old in columns.parameters.items():
        constants = _numbers(path, variables, old)
        if constants.shape not in ((), (1,), (count,), (count, 1), (1, count), (1, 1)):
            raise DataError(
                f"{path}: {old} has shape {constants.shape}, expected one number a trajectory ({count},)"
            )
        if constants.ndim:
            constants, found = axes.arrange(old, constants, "a parameter")
            axes.check_along(old, found)
        parameters[new] = np.broadcast_to(constants.reshape(-1), (count,))
    return parameters


def _states(path: Path, variables: Variables, columns: Columns, axes: Axes, name: str | None) -> _States:
    if name is None:
        values = _joined(path, variables, columns, axes)
        return _States(columns.components, values, _units(path, variables, columns.components))
    values, found = axes.arrange(name, _numbers(path, variables, name), "states")
    axes.note_states(found)
    namer, known = _labels(variables, axes.namer(found), values.shape[2])
    if len(set(known)) < len(known):
        raise DataError(f"{path}: components of {name} have the same name: {listed(known)}")
    units = stated_units(path, name, variables[name], len(known))
    components = columns.components or dict(zip(known, known, strict=True))
    places = dict(zip(known, range(len(known)), strict=True))
    missing = [old for old in components.values() if old not in places]
    if missing:
        raise DataError(
            f"{path}: {name} has no component {', '.join(missing)}; it has {', '.join(known)}."
            + did_you_mean(missing[0], known)
        )
    chosen = [places[old] for old in components.values()]
    told = {new: unit for new, place in zip(components, chosen, strict=True) if (unit := units[place])}
    if columns.components:
        values = values[:, :, chosen]
    return _States(components, values, told, name, namer, tuple(chosen))


def _slopes(
    path: Path, variables: Variables, columns: Columns, axes: Axes, states: _States
) -> np.ndarray | None:
    """dx/dt (N, T, D), of an array like that of the states or of one a component; None where none is named."""
    named = columns.derivatives
    if not named:
        return None
    if states.array is None:
        olds = columns_of_slopes(path, named, states.components)
        found = _joined(path, variables, replace(columns, components={old: old for old in olds}), axes)
    else:
        if len(named) > 1:
            raise DataError(
                f"{path}: --derivatives names {listed(named)}; the states are one array, {states.array}, expected "
                "the name of one array of all their derivatives"
            )
        found, dimensions = axes.arrange(*_named(path, variables, next(iter(named.values()))), "states")
        axes.note_states(dimensions)
        found = found[:, :, list(states.chosen)] if found.shape[2] > max(states.chosen) else found
    if found.shape != states.values.shape:
        raise DataError(
            f"{path}: derivatives have shape {found.shape} (trajectory, time, component), expected that of the "
            f"states, {states.values.shape}"
        )
    return found


def _named(path: Path, variables: Variables, name: str) -> tuple[str, np.ndarray]:
    return name, _numbers(path, variables, name)


def _joined(path: Path, variables: Variables, columns: Columns, axes: Axes) -> np.ndarray:
    """Values (N, T, D) of an array (N, T) or (T,) for each component."""
    if not columns.components:
        raise DataError(
            f"{path}: which variables are the state? It has {listed(variables)}; say --state NAME or "
            "--components NAME,NAME"
        )
    parts = []
    for old in columns.components.values():
        values, found = axes.arrange(old, _numbers(path, variables, old), "one component")
        axes.check_along(old, found)
        axes.note_states(found)
        parts.append(values)
    if len({part.shape for part in parts}) > 1:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise DataError(f"{path}: components of shapes {shapes}, expected (trajectory, time) for each")
    return np.stack(parts, axis=-1)


def _labels(variables: Variables, namer: str | None, count: int) -> tuple[str | None, list[str]]:
    """Names of the components: those that a variable gives, and its name, else None and x1, x2, ..."""
    labels = np.empty(0) if namer is None else variables[namer].read()
    if labels.shape == (count,) and labels.dtype.kind in "SUO":
        return namer, [label.decode() if isinstance(label, bytes) else str(label) for label in labels]
    return None, [f"x{number + 1}" for number in range(count)]


def _variable(path: Path, variables: Variables, name: str) -> Variable:
    if name not in variables:
        raise DataError(
            f"{path}: no variable {name!r}; it has {listed(variables)}.{did_you_mean(name, variables)}"
        )
    return variables[name]


def _numbers(path: Path, variables: Variables, name: str) -> np.ndarray:
    """An array as float32, if it is that, or float64."""
    values = np.asarray(_variable(path, variables, name).read())
    return as_floats(values, f"{path}: {name}")
