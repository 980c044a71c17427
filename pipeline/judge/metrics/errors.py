"""Mean squared errors: in all, by time, by component; and in units of the components' deviations."""

from types import MappingProxyType
from typing import Any

import numpy as np

from .metric import Batch, Context, Metric


class Errors(Metric):
    """`mse` in raw units squared; `nrmse` is the root of the mean square in units of each component's deviation."""

    better = MappingProxyType({"mse": "lower", "nrmse": "lower"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._squares = np.zeros((len(context.times), len(context.components)))
        self._count = 0

    def add(self, batch: Batch) -> None:
        self._squares += np.square(batch.predicted - batch.true).sum(axis=0)
        self._count += len(batch.true)

    def result(self) -> dict[str, Any]:
        mean = self._squares / self._count
        scaled = mean / self.context.scales**2
        return {
            "mse": float(mean.mean()),
            "nrmse": float(np.sqrt(scaled.mean())),
            "mse_by_time": mean.mean(axis=1).tolist(),
            "nrmse_by_time": np.sqrt(scaled.mean(axis=1)).tolist(),
            "mse_by_component": dict(zip(self.context.components, mean.mean(axis=0).tolist(), strict=True)),
        }
