"""Trajectories at other times than they were measured: cubic splines between samples, nothing beyond them."""

from dataclasses import replace
from math import floor
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from ....data.base.errors import DataError
from ....data.folder.stated_grid import increases
from .measurements import Measurements, Trajectory

INTERPOLATION = "cubic"
# A cubic has four coefficients.
FEWEST = 4
# Of one trajectory: a step that was meant in another unit ends in a message, not in a full disk.
MAX_SAMPLES = 100_000_000
# The last sample is still within the last time where only rounding tells them apart.
ROUNDING = 1e-9


def resampled(path: Path, measured: Measurements, step: float) -> Measurements:
    """The same with a sample every `step` from each first one on, as far as the trajectory goes.

    Between samples it is a cubic spline (C2, not-a-knot) through all that are finite; a time next to a missing sample
    is missing. Raises DataError if a trajectory has fewer than four samples or would have too many.
    """
    made = [_resampled(path, each, step) for each in measured.trajectories]
    digit = max(float(np.spacing(np.abs(each.time).max())) for each in made)
    return replace(measured, trajectories=made, last_digits=(digit, digit))


def _resampled(path: Path, trajectory: Trajectory, step: float) -> Trajectory:
    time = trajectory.time
    if len(time) < FEWEST:
        raise DataError(
            f"{path}: trajectory {trajectory.number} has {len(time)} samples; --resample needs at least {FEWEST}"
        )
    with np.errstate(over="ignore"):
        steps = float((time[-1] - time[0]) / step)
    if steps > MAX_SAMPLES:
        raise DataError(
            f"{path}: trajectory {trajectory.number} would have {steps:.3g} samples, a step of {step:g} from "
            f"{time[0]:g} to {time[-1]:g}; expected at most {MAX_SAMPLES:,} (--resample)"
        )
    times = time[0] + step * np.arange(floor(steps + ROUNDING) + 1)
    if not increases(times):
        raise DataError(
            f"{path}: a step of {step:g} is too small to tell times near {time[-1]:.17g} apart; take something off "
            "the times before, such as the first, or choose a larger one (--resample)"
        )
    # Never beyond the last sample, not by rounding either.
    at = np.minimum(times, time[-1])
    slopes = trajectory.slopes
    return replace(
        trajectory,
        time=times,
        states=_between(path, trajectory, trajectory.states, at),
        slopes=None if slopes is None else _between(path, trajectory, slopes, at),
    )


def _between(path: Path, trajectory: Trajectory, states: np.ndarray, at: np.ndarray) -> np.ndarray:
    """What was measured (T, D) along a trajectory, at other times (K,)."""
    time, values = trajectory.time, np.full((len(at), states.shape[1]), np.nan)
    for component in range(states.shape[1]):
        try:
            values[:, component] = _spline(time, states[:, component].astype(np.float64), at)
        except ValueError as error:
            # Of times that lie apart by less than their own size has digits for.
            raise DataError(
                f"{path}: trajectory {trajectory.number} has no cubic through its samples ({error}); --resample "
                "needs times that are apart"
            ) from None
    with np.errstate(over="ignore"):
        stored = values.astype(states.dtype)
    if np.isinf(stored).any():
        raise DataError(
            f"{path}: trajectory {trajectory.number}: between its samples a cubic comes to more than {states.dtype} "
            "holds (--resample)"
        )
    return stored


def _spline(time: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values (K,) at times within [time[0], time[-1]]; NaN in gaps, and between two that are too close.

    Infinite where they are more than float64 holds.
    """
    found = np.full(len(at), np.nan)
    finite = np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.r_[False, finite, False]))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - first < FEWEST:
            continue
        within = (at >= time[first]) & (at <= time[stop - 1])
        # Powers of two leave every digit as it is, and make of any unit one in which nothing overflows on the way.
        known = values[first:stop]
        size, span = _exponent(known), _exponent(time[first:stop])
        with np.errstate(all="ignore"):
            spline = CubicSpline(np.ldexp(time[first:stop], -span), np.ldexp(known, -size))
            between = np.ldexp(spline(np.ldexp(at[within], -span)), size)
        found[within] = np.where(np.isfinite(between), between, np.inf)
    return found


def _exponent(values: np.ndarray) -> int:
    return int(np.frexp(np.abs(values).max())[1])
