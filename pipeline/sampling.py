"""Random numbers by row: those of row i of a split are a function of (seed, split, i) and nothing else."""

import numpy as np

from ..data.format import SPLITS

# What a stream of random numbers is for; a new use takes a new number, so that none shifts another.
INITIAL_STATES = 0
PARAMETERS = 1
NOISE = 2
TANGENTS = 3

# Philox 4x64 gives four numbers for each value of its counter.
NUMBERS_PER_COUNT = 4


def uniform_rows(seed: int, split: str, stream: int, start: int, stop: int, columns: int) -> np.ndarray:
    """Uniform numbers in [0, 1) for rows start to stop, (stop - start, columns) float64.

    The generator counts (Philox: Salmon et al. 2011, doi:10.1145/2063384.2063405), so it can be set to any
    row at once: the numbers of a row do not depend on how rows are cut into shards or shared among workers.
    """
    key = np.random.SeedSequence([seed, SPLITS.index(split), stream]).generate_state(2, np.uint64)
    counts = -(-columns // NUMBERS_PER_COUNT)
    generator = np.random.Generator(np.random.Philox(key=key).advance(start * counts))
    return generator.random((stop - start, counts * NUMBERS_PER_COUNT))[:, :columns]


def uniform_of(seed: int, split: str, stream: int, rows: np.ndarray, columns: int) -> np.ndarray:
    """The same for rows (N,) of any numbers: (N, columns) float64."""
    if not len(rows):
        return np.empty((0, columns))
    # One call for each run of consecutive rows: of most there is but one.
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return np.concatenate(
        [uniform_rows(seed, split, stream, int(run[0]), int(run[-1]) + 1, columns) for run in runs]
    )


def standard_normal(numbers: np.ndarray) -> np.ndarray:
    """Standard normal numbers from uniform ones in [0, 1)."""
    # Only here, for SciPy takes time to load that most datasets do without.
    from scipy.special import ndtri

    return ndtri(np.clip(numbers, 2.0**-54, 1 - 2.0**-53))
