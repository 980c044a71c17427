"""Valid prediction time: how long a rollout stays near the truth (Vlachas et al. 2020,
doi:10.1016/j.neunet.2020.02.016).
"""

from types import MappingProxyType
from typing import Any

import numpy as np

from .metric import Batch, Context, Metric

# Error, in units of the components' deviations and as the root of the mean square over them, at which it ends.
VALID_ERROR = 0.5


class ValidTime(Metric):
    """`vpt`, the median over all starts, in units of time; at most as long as the rollouts are.

    Blind to how a rollout goes on once it has left the truth, as every chaotic one does.
    """

    over = "rollouts"
    better = MappingProxyType({"vpt": "higher", "final_nrmse": "lower"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._valid: list[float] = []
        self._finite, self._last = 0, []

    def add(self, batch: Batch) -> None:
        # A rollout that leaves all bounds is as invalid as one that is not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.square((batch.predicted - batch.true) / self.context.scales).mean(axis=2)
        error, times = np.sqrt(squares), self.context.times
        invalid = ~(error < VALID_ERROR)
        self._valid += np.where(invalid.any(axis=1), times[invalid.argmax(axis=1)], times[-1]).tolist()
        self._finite += int(np.isfinite(batch.predicted).all(axis=(1, 2)).sum())
        self._last += squares[:, -1].tolist()

    def result(self) -> dict[str, Any]:
        last = np.array(self._last)
        last = last[np.isfinite(last)]
        return {
            "finite": self._finite,
            "vpt": float(np.median(self._valid)),
            "valid_prediction_time": {
                "median": float(np.median(self._valid)),
                "minimum": float(min(self._valid)),
            },
            "final_nrmse": float(np.sqrt(last.mean())) if len(last) else None,
        }
