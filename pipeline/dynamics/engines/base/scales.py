"""Scales of a row: the largest value of each component so far, which its errors are measured by."""

from collections.abc import Iterator

import numpy as np

# An engine that lets each component err by parts of the largest one, or of 1, is trusted with components down to this
# part of it: what it leaves out of a step is then still a few roundings of each.
LEAST = 2.0**-10
# Numbers, and rows, that are looked at together.
AT_ONCE, BLOCK = 1 << 20, 1024
# Times of a grid with fewer lie so far apart that a row is looked at in between, too, if it takes so many steps an
# interval; and how many times are then looked at.
SPARSE, STEPS_AN_INTERVAL, LOOKS = 17, 8, 33


def bounds(states: np.ndarray) -> np.ndarray:
    """A bound (N,) of the absolute values in each row of states (N, T, D), that of many rows together."""
    found = np.empty(len(states))
    for first in range(0, len(states), BLOCK):
        block = states[first : first + BLOCK]
        found[first : first + BLOCK] = np.maximum(block.max(), -block.min())
    return found


def largest(states: np.ndarray) -> np.ndarray:
    """The largest absolute value of each row (N,) of states (N, T, D); NaN where one is."""
    rows = states.reshape(len(states), states[:1].size or 1)
    return np.maximum(rows.max(axis=1), -rows.min(axis=1))


def doubtful(scales: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Rows (N,) of which a component may be too small: of the least scales (D, N) and the largest values (N,)."""
    return ~(scales.min(axis=0) >= LEAST * np.maximum(1.0, sizes))


def apart(sizes: np.ndarray) -> np.ndarray:
    """Rows (N,) whose components (N, D) are too small for it, by their largest values along the row."""
    return ((sizes < LEAST * np.maximum(1.0, sizes.max(axis=1, keepdims=True))) & (sizes > 0)).any(axis=1)


def uneven(states: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Rows (N,) that need scales of their own: where control by the largest component and by 1 is too rough.

    states  (N, T, D) along the rows, from the initial states on; after a NaN a row is not looked at
    first   (N, D) sizes within the first step, for a component may begin at 0
    """
    found = np.zeros(len(states), dtype=bool)
    for rows in _few_at_once(states):
        sizes = np.abs(states[rows])
        allowed = LEAST * np.maximum(1.0, sizes.max(axis=2))
        np.maximum.accumulate(sizes, axis=1, out=sizes)
        scales = np.maximum(sizes, first[rows, None], out=sizes)
        # What has been 0 so far had no errors.
        found[rows] = ((scales < allowed[..., None]) & (scales > 0)).any(axis=(1, 2))
    return found


def _few_at_once(states: np.ndarray) -> Iterator[slice]:
    count = max(1, AT_ONCE // max(1, states[0].size)) if len(states) else 1
    for first in range(0, len(states), count):
        yield slice(first, first + count)


def closer(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A grid (T,) with times in between, and which of them are its own (T,)."""
    # Not evenly, so that no oscillation hides.
    between = np.arange(1, LOOKS) + np.modf(np.arange(1, LOOKS) * 0.618)[0] - 0.5
    more = times[0] + (times[-1] - times[0]) * between / LOOKS
    every = np.union1d(times, more)
    return every, np.searchsorted(every, times)


def powers(sizes: np.ndarray) -> np.ndarray:
    """The least power of two above each size; 1 for 0. To divide by one is exact."""
    exponents = np.frexp(np.clip(sizes, 2.0**-1000, 2.0**1000))[1]
    return np.where(sizes > 0, np.ldexp(1.0, exponents), 1.0)
