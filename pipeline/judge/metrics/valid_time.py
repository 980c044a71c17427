"""Valid prediction time: how long a rollout stays near the truth.

By the error in units of the components' deviations (Vlachas et al. 2020, doi:10.1016/j.neunet.2020.02.016), until it
reaches .5, or .4, as others have it; and until the mean of the sMAPE (0 to 200) so far exceeds 30 (arXiv 2505.23863).
"""

from types import MappingProxyType
from typing import Any

import numpy as np

from .metric import Batch, Context, Metric
from .smape import smape

# Error, in units of the components' deviations and as the root of the mean square over them, at which it ends.
VALID_ERROR, NARROW_ERROR = 0.5, 0.4
VALID_SMAPE = 30.0


class ValidTime(Metric):
    """`vpt`, `vpt_04` and `vpt_smape30`, medians over all starts, in units of time.

    They are at most as long as the rollouts are. Each comes with `_lyapunov` in units of the Lyapunov time, where the
    largest exponent is known and above 0. Blind to how a rollout goes on once it has left the truth, as every chaotic
    one does.
    """

    over = "rollouts"
    better = MappingProxyType(
        {"vpt": "higher", "vpt_04": "higher", "vpt_smape30": "higher", "final_nrmse": "lower"}
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._valid: dict[str, list[float]] = {"vpt": [], "vpt_04": [], "vpt_smape30": []}
        self._last: list[float] = []

    def add(self, batch: Batch) -> None:
        # A rollout that leaves all bounds is as invalid as one that is not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.square((batch.predicted - batch.true) / self.context.scales).mean(axis=2)
        error = np.sqrt(squares)
        relative = smape(batch.true[:, 1:], batch.predicted[:, 1:])
        so_far = np.cumsum(relative, axis=1) / np.arange(1, relative.shape[1] + 1)
        # The start is given.
        so_far = np.concatenate([np.zeros((len(so_far), 1)), so_far], axis=1)
        for name, valid in (
            ("vpt", error < VALID_ERROR),
            ("vpt_04", error < NARROW_ERROR),
            ("vpt_smape30", so_far <= VALID_SMAPE),
        ):
            self._valid[name] += self._until(valid)
        self._last += squares[:, -1].tolist()

    def _until(self, valid: np.ndarray) -> list[float]:
        """The time at which each of (n, T) first is not valid; the last, where all are."""
        times = self.context.times
        return np.where(valid.all(axis=1), times[-1], times[(~valid).argmax(axis=1)]).tolist()

    def chosen_by(self, key: str) -> float | None:
        if key == "final_nrmse" and not np.isfinite(self._last).all():
            return None
        return super().chosen_by(key)

    def result(self) -> dict[str, Any]:
        last = np.array(self._last)
        last = last[np.isfinite(last)]
        medians = {name: float(np.median(values)) for name, values in self._valid.items()}
        exponent = self.context.lyapunov
        if exponent is not None and exponent > 0:
            medians |= {f"{name}_lyapunov": value * exponent for name, value in medians.items()}
        return {
            **medians,
            "valid_prediction_time": {"median": medians["vpt"], "minimum": min(self._valid["vpt"])},
            "final_nrmse": float(np.sqrt(last.mean())) if len(last) else None,
        }
