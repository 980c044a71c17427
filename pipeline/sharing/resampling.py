"""Trajectories at other times than they were measured: cubic splines between samples, nothing beyond them."""

from dataclasses import replace
from math import floor
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from ...data.errors import DataError
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
    time, states = trajectory.time, trajectory.states
    if len(time) < FEWEST:
        raise DataError(
            f"{path}: trajectory {trajectory.number} has {len(time)} samples; --resample needs at least {FEWEST}"
        )
    steps = (time[-1] - time[0]) / step
    if steps > MAX_SAMPLES:
        raise DataError(
            f"{path}: trajectory {trajectory.number} would have {steps:.3g} samples, a step of {step:g} from "
            f"{time[0]:g} to {time[-1]:g}; expected at most {MAX_SAMPLES:,} (--resample)"
        )
    times = time[0] + step * np.arange(floor(steps + ROUNDING) + 1)
    # Never beyond the last sample, not by rounding either.
    at = np.minimum(times, time[-1])
    values = np.full((len(times), states.shape[1]), np.nan)
    for component in range(states.shape[1]):
        values[:, component] = _spline(time, states[:, component].astype(np.float64), at)
    return replace(trajectory, time=times, states=values.astype(states.dtype))


def _spline(time: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values (K,) at times within [time[0], time[-1]]; NaN in gaps, and between two that are too close."""
    found = np.full(len(at), np.nan)
    finite = np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.r_[False, finite, False]))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - first < FEWEST:
            continue
        within = (at >= time[first]) & (at <= time[stop - 1])
        found[within] = CubicSpline(time[first:stop], values[first:stop])(at[within])
    return found
