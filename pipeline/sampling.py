"""Random numbers by row: those of row i of a split are a function of (seed, split, i) and nothing else."""

import numpy as np

from ..data.format import SPLITS

# What a stream of random numbers is for; a new use takes a new number, so that none shifts another.
INITIAL_STATES = 0
PARAMETERS = 1

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
