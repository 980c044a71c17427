"""The grid that a config states, and the times that it stands for."""

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np

from ..base.errors import FormatError
from ..base.hashing import array_hash


def describe_grid(times: np.ndarray, initial_time: float, resampling: str) -> dict[str, Any]:
    """What a config says of times (T,) float64 that were measured, or chosen from another grid.

    initial_time  the time at which a row has its initial state
    """
    return {
        "duration": float(times[-1] - times[0]),
        "points": len(times),
        "resample": resampling,
        "initial_time": initial_time,
        "times_sha256": array_hash(times),
    }


def is_grid(times: np.ndarray, grid: Mapping[str, Any]) -> bool:
    """Are these the times of a config's grid?

    A generated dataset has `points` equal steps from 0 to `duration`; any other states a hash of its times.
    Raises KeyError, TypeError or ValueError if the grid lacks what it needs.
    """
    duration, points = float(grid["duration"]), int(grid["points"])
    if points != len(times):
        return False
    if "times_sha256" in grid:
        return array_hash(times) == grid["times_sha256"]
    return np.array_equal(times, np.linspace(0.0, duration, points))


def increases(times: np.ndarray) -> bool:
    """Is each time a number, and later than that before?"""
    return bool(np.isfinite(times).all() and (times[1:] > times[:-1]).all())


def initial_time(grid: Mapping[str, Any]) -> float:
    """The time at which rows have their initial states; 0 unless the grid says otherwise. Raises FormatError."""
    time = grid.get("initial_time", 0.0)
    if isinstance(time, bool) or not isinstance(time, int | float):
        raise FormatError(f"grid.initial_time: got {time!r:.80}, expected a number")
    return float(time)


def diagnosed(grid: Mapping[str, Any]) -> dict[str, Any]:
    """Duration and number of points of the grid along which diagnostics were measured. Raises FormatError.

    It is the config's own, unless some of its times were chosen since: then its key `diagnosed` tells.
    """
    told = grid.get("diagnosed") if "times_sha256" in grid else grid
    if isinstance(told, Mapping):
        duration, points = told.get("duration"), told.get("points")
        if (
            isinstance(duration, int | float)
            and 0 < duration < inf
            and isinstance(points, int)
            and points >= 2
        ):
            return {"duration": float(duration), "points": points}
    raise FormatError(
        f"grid.diagnosed: got {told!r:.80}, expected duration and points of the grid that the diagnostics are of"
    )
