"""Which components of a run rest, and have neither a density nor a spectrum."""

import numpy as np

# A deviation of less than this part of the largest value is rounding.
ROUNDING = 1e-10


def at_rest(states: np.ndarray) -> np.ndarray:
    """Which components of a run (T, D) rest, but for rounding: (D,) bool."""
    return np.asarray(states.std(axis=0) <= ROUNDING * np.abs(states).max(axis=0))
