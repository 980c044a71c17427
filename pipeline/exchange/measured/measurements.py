"""Measured trajectories as they come from any kind of file, and what is said of its variables."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ....data.base.arguments import names, one_of, positive
from ....data.base.errors import DataError
from ....data.base.suggestions import listed
from .time_units import TimeUnit

TIME_NAMES, STATE_NAMES, TRAJECTORY_NAMES = ("time", "t"), ("state", "states"), ("trajectory",)
WITH_UNIT = re.compile(r"(.*\S)\s*(?:\[([^][]+)\]|\(([^()]+)\))")
DIMENSIONS = {"trajectory", "time", "component"}


@dataclass(frozen=True)
class Columns:
    """Which variables of a measured file are what; None takes those that are called as usual.

    Attributes:
        components: The dataset's name of each component, and its name in the file.
        parameters: The same of the parameters.
        step: The sampling interval of a file that has no times, in their unit.
        dimensions: Those of the states in the order of the file: "trajectory", "time" and "component".
        decimal: The decimal sign in a table, "." or ","; None where its numbers tell.
        derivatives: Of each component, by the dataset's name, the name in the file of its derivative, a unit of the
            times; of an array of all states, the name of the one of all their derivatives, twice.
    """

    time: str | None = None
    trajectory: str | None = None
    state: str | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    step: float | None = None
    dimensions: tuple[str, ...] = ()
    decimal: str | None = None
    derivatives: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises DataError for what is of another kind."""
        for what in ("time", "trajectory", "state"):
            if not isinstance(getattr(self, what), str | None):
                raise DataError(
                    f"{what} is {getattr(self, what)!r:.80}; expected the name of a variable, or None"
                )
        for what in ("components", "parameters", "derivatives"):
            given = getattr(self, what)
            if not isinstance(given, Mapping) or not all(
                isinstance(name, str) for name in (*given, *given.values())
            ):
                raise DataError(
                    f"{what} is {given!r:.80}; expected a dict from each new name to the name in the file, as in "
                    "{'x': 'x'}"
                )
        if self.step is not None:
            positive("step", self.step)
        if (told := names("dimensions", self.dimensions)) and (
            "time" not in told or not set(told) <= DIMENSIONS
        ):
            raise DataError(
                f"dimensions are {', '.join(told)}; expected some of trajectory, time, component, time among them"
            )
        if self.decimal is not None:
            one_of("decimal", self.decimal, (".", ","))


@dataclass(frozen=True)
class Trajectory:
    """One measured trajectory: its number in the file, time (T,), states (T, D) float64, parameters; and dx/dt
    (T, D), where the file has it.
    """

    number: int
    time: np.ndarray
    states: np.ndarray
    parameters: dict[str, float]
    slopes: np.ndarray | None = None


@dataclass(frozen=True)
class Measurements:
    """What one file holds; `dtype` is that of its numbers, float32 or float64.

    components  new name -> name in the file
    state       the variable of which they are components; None where each is a variable
    time        name of the times in the file; None if it has none
    group       name of the column that tells trajectories apart, if there is one
    unused      names of all that became nothing
    unit        of the times, as the file states it
    units       of components and parameters, by new name, as far as the file states them
    last_digits  to which part of their unit the times are given, see `regular.last_digits`; 0 if that is not known
    angles      "degrees" or "radians", where the file says in which of them all its angles are
    remarks     which of two readings was taken, where a file leaves it open, a line each
    """

    components: Mapping[str, str]
    trajectories: list[Trajectory]
    dtype: str
    state: str | None = None
    time: str | None = None
    group: str | None = None
    unused: tuple[str, ...] = ()
    unit: TimeUnit | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    last_digits: tuple[float, float] = (0.0, 0.0)
    remarks: tuple[str, ...] = ()
    angles: str | None = None


def time_name(names: Iterable[str], columns: Columns) -> str | None:
    """The variable of the times: the one asked for, else one named as usual that is not asked for otherwise."""
    taken = {*columns.components.values(), *columns.parameters.values(), *columns.derivatives.values()}
    return columns.time or next((name for name in usual_times(names) if name not in taken), None)


def check_time(path: Path, names: Iterable[str], name: str | None, columns: Columns) -> None:
    """Raises DataError if the file has times, of that name, and an interval is given too, or neither."""
    if name is None and columns.step is None:
        raise DataError(
            f"{path}: has no times, or none that are called {' or '.join(TIME_NAMES)}; say which variable with "
            f"--time, or the interval with --step. It has {listed(names)}"
        )
    if name is not None and columns.step is not None:
        raise DataError(f"{path}: has times, {name!r}, and --step gives others; leave out --step")


def usual_times(names: Iterable[str]) -> list[str]:
    """Which of these are called as times usually are: "time", "t", and also "Time", "time [ms]" or "t [s]".

    T alone is a temperature.
    """
    names = list(names)
    exact = [name for name in TIME_NAMES if name in names]
    short = [(name, without_unit(name)[0]) for name in names]
    return exact or [
        name for name, each in short if each.casefold() == TIME_NAMES[0] or each == TIME_NAMES[1]
    ]


def without_unit(name: str) -> tuple[str, str | None]:
    """The name of a column and its unit, of "time [ms]" or "time (ms)"; of any other name None."""
    found = WITH_UNIT.fullmatch(name)
    return (found[1], (found[2] or found[3]).strip()) if found else (name, None)


def regular_times(samples: int, step: float | None) -> np.ndarray:
    """Times (T,) from 0 with this interval."""
    with np.errstate(over="ignore"):
        return (step or 0.0) * np.arange(samples)


def check_trajectory(
    path: Path, trajectory: Trajectory, place: Callable[[int], str] | None = None, mend: str = ""
) -> None:
    """Raises DataError if times do not increase or a parameter is no finite number.

    place  says where in the file the sample of that number is
    mend   how to mend times that begin anew
    """
    time = trajectory.time
    with np.errstate(over="ignore", invalid="ignore"):
        wrong = _not_after(time)
    if len(wrong):
        sample = int(wrong[0])
        where = place(sample) if place else f"sample {sample} (from 0)"
        before = f" after {time[sample - 1]:.17g}" if sample else ""
        raise DataError(
            f"{path}: {where}: the times of trajectory {trajectory.number} do not increase: "
            f"{time[sample]:.17g}{before}{mend if sample and time[sample] < time[sample - 1] else ''}"
        )
    if len(time) and not np.isfinite(time[-1] - time[0]):
        raise DataError(
            f"{path}: the times of trajectory {trajectory.number} span more than a number can hold"
        )
    for name, value in trajectory.parameters.items():
        if not np.isfinite(value):
            raise DataError(f"{path}: parameter {name} of trajectory {trajectory.number} is {value}")


def _not_after(time: np.ndarray) -> np.ndarray:
    """Samples whose time is no number, or not later than that before."""
    return np.flatnonzero(~np.isfinite(time) | np.r_[False, ~(np.diff(time) > 0)])
