"""How many rollouts are finite throughout."""

from types import MappingProxyType
from typing import Any

import numpy as np

from .metric import Batch, Context, Metric


class Finite(Metric):
    """`finite`, how many, and `finite_share`, of all."""

    over = "rollouts"
    floor = None
    better = MappingProxyType({"finite_share": "higher"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._finite = self._count = 0

    def add(self, batch: Batch) -> None:
        self._finite += int(np.isfinite(batch.predicted).all(axis=(1, 2)).sum())
        self._count += len(batch.predicted)

    def result(self) -> dict[str, Any]:
        return {"finite": self._finite, "finite_share": self._finite / self._count}
