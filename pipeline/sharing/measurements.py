"""Measured trajectories as they come from any kind of file, and what is said of its variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...data.errors import DataError

TIME_NAMES, STATE_NAMES, TRAJECTORY_NAMES = ("time", "t"), ("state", "states"), ("trajectory",)


@dataclass(frozen=True)
class Columns:
    """Which variables of a file are what; None takes what is named as usual.

    components, parameters  new name -> name in the file
    step                    sampling interval, of a file without times
    """

    time: str | None = None
    trajectory: str | None = None
    state: str | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    step: float | None = None


@dataclass(frozen=True)
class Trajectory:
    """One measured trajectory: its number in the file, time (T,), states (T, D) float64, parameters."""

    number: int
    time: np.ndarray
    states: np.ndarray
    parameters: dict[str, float]


@dataclass(frozen=True)
class Measurements:
    """What one file holds; `dtype` is that of its numbers, float32 or float64.

    components  new name -> name in the file
    state       the variable of which they are components; None where each is a variable
    time        name of the times in the file; None if it has none
    group       name of the column that tells trajectories apart, if there is one
    unused      names of all that became nothing
    """

    components: Mapping[str, str]
    trajectories: list[Trajectory]
    dtype: str
    state: str | None = None
    time: str | None = None
    group: str | None = None
    unused: tuple[str, ...] = ()


def time_name(path: Path, names: Mapping[str, object] | list[str], columns: Columns) -> str | None:
    """The variable of the times: the one asked for, else one named as usual that is not asked for otherwise.

    Raises DataError if the file has times and an interval is given too, or neither.
    """
    taken = {*columns.components.values(), *columns.parameters.values()}
    usual = (name for name in TIME_NAMES if name in names and name not in taken)
    name = columns.time or next(usual, None)
    if name is None and columns.step is None:
        raise DataError(f"{path}: has no times; say which variable with --time, or the interval with --step")
    if name is not None and columns.step is not None:
        raise DataError(f"{path}: has times, {name!r}, and --step gives others; leave out --step")
    return name


def regular_times(samples: int, step: float | None) -> np.ndarray:
    """Times (T,) from 0 with this interval."""
    return (step or 0.0) * np.arange(samples)


def check_trajectory(path: Path, trajectory: Trajectory) -> None:
    """Raises DataError if times do not increase or a parameter is no finite number."""
    time = trajectory.time
    with np.errstate(over="ignore"):
        sound = np.isfinite(time).all() and (np.diff(time) > 0).all()
    if not sound:
        raise DataError(f"{path}: the times of trajectory {trajectory.number} do not increase")
    if len(time) and not np.isfinite(time[-1] - time[0]):
        raise DataError(
            f"{path}: the times of trajectory {trajectory.number} span more than a number can hold"
        )
    for name, value in trajectory.parameters.items():
        if not np.isfinite(value):
            raise DataError(f"{path}: parameter {name} of trajectory {trajectory.number} is {value}")
