"""The grids that a config states, of all rows or of a split, and the times that they stand for."""

from collections.abc import Mapping
from math import inf, isclose
from typing import Any

import numpy as np

from ..base.errors import FormatError
from ..base.hashing import array_hash
from ..shard.schema import SPLITS

# Where a config has what holds for the rows of one split: in its grid, and as a section.
GRIDS, STARTS = "splits", "initial_states_by_split"
# What grids of splits have in common.
COMMON = ("resample",)
# Steps that differ by no more, relatively, are the same but for rounding.
SAME_STEP = 1e-9


def by_split(config: Mapping[str, Any]) -> bool:
    """Does a config give a split times or initial states of its own?"""
    grid = config.get("grid")
    return STARTS in config or (isinstance(grid, Mapping) and GRIDS in grid)


def grid_of(config: Mapping[str, Any], split: str | None) -> dict[str, Any]:
    """What a config says of the times of a split's rows, or None: of splits that have no grid of their own.

    Raises FormatError if it says nothing that could be.

    A split that has a grid of its own has nothing of that of the others but the resampling.
    """
    grid = config["grid"]
    if not isinstance(grid, Mapping):
        raise FormatError(f"grid: got {grid!r:.80}, expected a table")
    if GRIDS not in grid:
        return dict(grid)
    own = grid[GRIDS]
    if not isinstance(own, Mapping) or not own or not own.keys() <= set(SPLITS):
        raise FormatError(f"grid.{GRIDS}: got {own!r:.80}, expected tables of {', '.join(SPLITS)}")
    if split not in own:
        return {key: value for key, value in grid.items() if key != GRIDS}
    if not isinstance(own[split], Mapping):
        raise FormatError(f"grid.{GRIDS}.{split}: got {own[split]!r:.80}, expected a table")
    return {**{key: grid[key] for key in COMMON if key in grid}, **own[split]}


def points_of(config: Mapping[str, Any], split: str) -> int:
    """Points of a split's rows. Raises FormatError."""
    points = grid_of(config, split).get("points")
    if isinstance(points, bool) or not isinstance(points, int) or points < 1:
        raise FormatError(f"grid of {split}: points are {points!r:.80}, expected a number of them")
    return points


def step_of(config: Mapping[str, Any], split: str) -> float:
    """Mean time from point to point of a split's rows. Raises FormatError."""
    duration = grid_of(config, split).get("duration")
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 <= duration < inf:
        raise FormatError(f"grid of {split}: the duration is {duration!r:.80}, expected a number")
    return duration / max(1, points_of(config, split) - 1)


def shard_rows_of(config: Mapping[str, Any], split: str) -> int:
    """Rows of a split's shards: of a split whose rows have another length more or fewer make one."""
    own = grid_of(config, split).get("shard_rows")
    return own if isinstance(own, int) and own > 0 else config["dataset"]["shard_rows"]


def joined_grid(grids: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One grid from those of some splits, as `grid_of` gives them: the first, with those of others beside it."""
    common = dict(next(iter(grids.values())))
    own = {
        split: {key: value for key, value in grid.items() if key not in COMMON}
        for split, grid in grids.items()
        if grid != common
    }
    return {**common, **({GRIDS: own} if own else {})}


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


def same_step(one: float, other: float) -> bool:
    """Are two grids as fine, but for rounding?"""
    return isclose(one, other, rel_tol=SAME_STEP)


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
