"""The symmetric mean absolute percentage error of rollouts, 200 mean(|x' - x| / (|x'| + |x|)), from 0 to 200.

As the benchmark of Gilpin 2021, arXiv 2110.05266, has it; others halve it, from 0 to 100. It depends on where
zero is, and says little of components that cross it.
"""

from types import MappingProxyType
from typing import Any

import numpy as np

from .metric import Batch, Context, Metric

WORST = 200.0


class Smape(Metric):
    """`smape` from 0 to 200, and `smape_100`, the same from 0 to 100; what is not finite counts as 200."""

    over = "rollouts"
    better = MappingProxyType({"smape": "lower"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._total, self._count = 0.0, 0

    def add(self, batch: Batch) -> None:
        # The start is given.
        values = smape(batch.true[:, 1:], batch.predicted[:, 1:])
        self._total += float(values.sum())
        self._count += values.size

    def result(self) -> dict[str, Any]:
        mean = self._total / self._count
        return {"smape": mean, "smape_100": mean / 2}


def smape(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Of states (n, T, D): the mean over components at each time, (n, T)."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(predicted) + np.abs(true)
        ratio = np.divide(np.abs(predicted - true), size, out=np.zeros_like(size), where=size != 0)
    return WORST * np.where(np.isfinite(ratio), ratio, 1.0).mean(axis=2)
