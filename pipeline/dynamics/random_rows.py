"""Random numbers by row: those of row i of a split are a function of (seed, split, i) and nothing else."""

import numpy as np

from ...data.shard.schema import SPLITS
from .engines.base.engine import REVISION

# What a stream of random numbers is for; a new use takes a new number, so that none shifts another.
INITIAL_STATES = 0
PARAMETERS = 1
NOISE = 2
TANGENTS = 3

# Philox 4x64 gives four numbers for each value of its counter.
NUMBERS_PER_COUNT = 4
# Of revision 1 on, a seed of more than one word of 32 bits is given two, and a mark behind all words: SeedSequence
# takes lists of up to four words for the same if zeros at their ends are all that tells them apart.
WIDE_SEED = 2**32
WIDE_REVISION = 1
MARK = 1


def stream_key(seed: int, split: str, stream: int, revision: int = REVISION) -> np.ndarray:
    """The key (2,) uint64 of a stream's generator; `revision` is that of the engine which made the rows."""
    words = [seed, SPLITS.index(split), stream]
    if seed >= WIDE_SEED and revision >= WIDE_REVISION:
        words = [seed % WIDE_SEED, seed // WIDE_SEED, *words[1:], MARK]
    return np.random.SeedSequence(words).generate_state(2, np.uint64)


def uniform_rows(
    seed: int, split: str, stream: int, start: int, stop: int, columns: int, revision: int = REVISION
) -> np.ndarray:
    """Uniform numbers in [0, 1) for rows start to stop, (stop - start, columns) float64.

    revision  of the engine that made the rows, by which seeds of 2**32 and above are told apart

    The generator counts (Philox: Salmon et al. 2011, doi:10.1145/2063384.2063405), so it can be set to any
    row at once: the numbers of a row do not depend on how rows are cut into shards or shared among workers.
    """
    counts = -(-columns // NUMBERS_PER_COUNT)
    generator = np.random.Generator(
        np.random.Philox(key=stream_key(seed, split, stream, revision)).advance(start * counts)
    )
    return generator.random((stop - start, counts * NUMBERS_PER_COUNT))[:, :columns]


def uniform_of(
    seed: int, split: str, stream: int, rows: np.ndarray, columns: int, revision: int = REVISION
) -> np.ndarray:
    """The same for rows (N,) of any numbers: (N, columns) float64."""
    if not len(rows):
        return np.empty((0, columns))
    # One call for each run of consecutive rows: of most there is but one.
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return np.concatenate(
        [uniform_rows(seed, split, stream, int(run[0]), int(run[-1]) + 1, columns, revision) for run in runs]
    )


def standard_normal(numbers: np.ndarray) -> np.ndarray:
    """Standard normal numbers from uniform ones in [0, 1)."""
    # Only here, for SciPy takes time to load that most datasets do without.
    from scipy.special import ndtri

    return ndtri(np.clip(numbers, 2.0**-54, 1 - 2.0**-53))
