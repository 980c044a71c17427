"""Which rows are worth a look: those that move, where others rest; and whether they have one law."""

import numpy as np

# Of the widest way of all rows: less is rest.
REST = 1e-3
# Relative to the size of values: a variation that float32 could make of a constant, or that is on the way to one.
HARDLY = 1e-4


def varies(parameters: np.ndarray) -> bool:
    """Whether not all rows have the same parameters (N, P)."""
    return bool(np.ptp(parameters, axis=0).any())


def moving(paths: np.ndarray) -> np.ndarray:
    """Which of the paths (N, T, D) move in some component, beside the one that moves most in it: (N,) bool."""
    if not paths.size:
        return np.zeros(len(paths), dtype=bool)
    ways, sizes = np.ptp(paths, axis=1), np.abs(paths).max(axis=(0, 1))
    widest = ways.max(axis=0)
    # What varies by rounding alone moves nowhere.
    varies = widest > HARDLY * sizes
    return (ways[:, varies] > REST * widest[varies]).any(axis=1)


def choose(moves: np.ndarray, most: int) -> np.ndarray:
    """Numbers of at most so many rows, spread evenly over those that move; others only where these are too few."""
    rows, rest = np.flatnonzero(moves), np.flatnonzero(~moves)
    return np.concatenate([rows[spread(len(rows), most)], rest[spread(len(rest), max(0, most - len(rows)))]])


def first_moving(paths: np.ndarray) -> int:
    """The number of the first of the paths (N, T, D) that moves; 0 if none does."""
    return int(choose(moving(paths), 1)[0])


def spread(size: int, most: int) -> np.ndarray:
    """At most so many places, evenly over 0 to size - 1."""
    return np.linspace(0, size - 1, min(size, most)).astype(np.int64)
