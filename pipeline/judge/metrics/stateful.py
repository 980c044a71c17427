"""Errors of stateful runs: over whole rows, one input at a time, with the memory of the network kept all along."""

from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import Errors
from .metric import Batch, Context


class Stateful(Errors):
    """`stateful_mse` and `stateful_nrmse` of the rows that are finite throughout, and `stateful_mse_by_time`.

    `stateful_later_mse` is without the first step, which has no past to go by. `stateful_rows` is how many rows there
    are, `stateful_finite` how many are finite, `stateful_points` their length.
    """

    over = "rows"
    better = MappingProxyType(
        {"stateful_mse": "lower", "stateful_later_mse": "lower", "stateful_nrmse": "lower"}
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._rows = 0

    def add(self, batch: Batch) -> None:
        self._rows += len(batch.true)
        finite = np.isfinite(batch.predicted).all(axis=(1, 2))
        if finite.any():
            with np.errstate(over="ignore"):
                super().add(Batch(batch.true[finite], batch.predicted[finite]))

    def chosen_by(self, key: str) -> float | None:
        return super().chosen_by(key) if self._count == self._rows else None

    def result(self) -> dict[str, Any]:
        told: dict[str, Any] = {"rows": self._rows, "finite": self._count, "points": len(self.context.times)}
        if self._count:
            found = super().result()
            told |= {key: found[key] for key in ("mse", "nrmse", "mse_by_time")}
            if later := found["mse_by_time"][1:]:
                told["later_mse"] = float(np.mean(later))
        return {f"stateful_{key}": value for key, value in told.items()}
