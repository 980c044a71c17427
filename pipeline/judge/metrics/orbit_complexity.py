"""Orbit complexity: which orders of size successive values come in, and how far that is from chance and from rule.

Permutation entropy (Bandt and Pompe 2002, doi:10.1103/PhysRevLett.88.174102) of patterns of five values, 0 of a
monotone run and 1 of white noise; statistical complexity (Rosso et al. 2007, doi:10.1103/PhysRevLett.99.154102),
which is small at both ends and large for chaos. Five values span two fifths of the period, as PECCARY (arXiv
2407.11970) has it, which is taken as four times the lag at which the truth's autocorrelation is zero. Blind to the
size of components, and to all that keeps their order.
"""

from math import factorial
from types import MappingProxyType
from typing import Any

import numpy as np

from .metric import Batch, Context, Metric, spread_of

ORDER = 5
# What the values of a pattern span, in periods.
SPAN = 0.4


class OrbitComplexity(Metric):
    """`permutation_entropy` and `statistical_complexity`, means over free runs and components, each with `_std` over
    the runs; the floor is the truth's own.
    """

    over = "free-runs"
    better = MappingProxyType({})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._found: list[tuple[float, float]] = []

    def add(self, batch: Batch) -> None:
        # The same runs come again, beside other true ones.
        if not self._found:
            self._found = [
                _of_run(predicted, true) for true, predicted in zip(batch.true, batch.predicted, strict=True)
            ]

    def result(self) -> dict[str, Any]:
        names = ("permutation_entropy", "statistical_complexity")
        found: dict[str, Any] = {}
        for name, values in zip(names, zip(*self._found, strict=True), strict=False):
            found |= spread_of(name, list(values))
        return found


def _of_run(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Means over the components of a run (T, D), at the delays of a true one; NaN where they cannot be had."""
    if not np.isfinite(predicted).all():
        return float("nan"), float("nan")
    delays = [pattern_delay(values) for values in true.T]
    found = [
        entropy_and_complexity(pattern_counts(values, ORDER, delay))
        for values, delay in zip(predicted.T, delays, strict=True)
        if (ORDER - 1) * delay < len(values)
    ]
    means = np.mean(found, axis=0) if found else np.full(2, np.nan)
    return float(means[0]), float(means[1])


def pattern_delay(values: np.ndarray) -> int:
    """Points from one value of a pattern to the next, of a true component (T,)."""
    centred = values - values.mean()
    size = 2 * len(values)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2)[: len(values)]
    crossings = np.flatnonzero(correlation <= 0)
    quarter = int(crossings[0]) if len(crossings) else 1
    return max(1, round(SPAN * 4 * quarter / (ORDER - 1)))


def pattern_counts(values: np.ndarray, order: int, delay: int = 1) -> np.ndarray:
    """How often each of the order! patterns comes in values (T,); of equal ones the earlier counts as the smaller."""
    count = len(values) - (order - 1) * delay
    places = np.arange(count)[:, None] + delay * np.arange(order)
    ranked = np.argsort(values[places], axis=1, kind="stable")
    # By Lehmer's code: at each place, how many of those behind it are smaller.
    codes = np.zeros(count, dtype=np.int64)
    for place in range(order):
        smaller = (ranked[:, place + 1 :] < ranked[:, [place]]).sum(axis=1)
        codes = codes * (order - place) + smaller
    return np.bincount(codes, minlength=factorial(order))


def entropy_and_complexity(counts: np.ndarray) -> tuple[float, float]:
    """H and C, both from 0 to 1, of how often each of N patterns came: C is H times the divergence of Jensen and
    Shannon from equal shares, in units of its largest value.
    """
    size, shares = len(counts), counts / counts.sum()
    even = np.full(size, 1 / size)
    entropy = _entropy(shares) / np.log(size)
    apart = _entropy((shares + even) / 2) - _entropy(shares) / 2 - _entropy(even) / 2
    largest = -((size + 1) / size * np.log(size + 1) - 2 * np.log(2 * size) + np.log(size)) / 2
    return float(entropy), float(entropy * max(apart, 0.0) / largest)


def _entropy(shares: np.ndarray) -> float:
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())
