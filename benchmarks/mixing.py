"""How far the batches of an order are from uniform draws."""

import numpy as np


def design_effect(order: np.ndarray, batch: int, values: np.ndarray) -> float:
    """Variance of the batches' means of a quantity, over what it is where batches are drawn uniformly.

    order   (N,) int64: numbers of the samples, in the order of use; what fills no batch at the end is left out
    values  (N,) the quantity of each sample by its number

    1 is as good as a shuffle of all samples; `batch` is no mixing at all, a batch of samples that are all alike.
    A batch then tells as much as a uniform one of batch / effect samples does. See L. Kish, Survey Sampling (Wiley,
    1965), section 8.2, with the correction for drawing without replacement.
    """
    size = len(order)
    means = values[order[: size - size % batch]].reshape(-1, batch).mean(axis=1)
    uniform = values.var() / batch * (size - batch) / (size - 1)
    return float(np.mean((means - values.mean()) ** 2) / uniform)


def by_row(samples: int) -> np.ndarray:
    """A quantity that grows along the rows, as in a dataset that sweeps a parameter."""
    return np.arange(samples, dtype=np.float64)


def by_block(bounds: np.ndarray, seed: int = 0) -> np.ndarray:
    """A quantity that is the same in a block, and random from block to block: the worst for a shuffle in blocks."""
    drawn = np.random.default_rng(seed).standard_normal(len(bounds) - 1)
    return np.repeat(drawn, np.diff(bounds))
