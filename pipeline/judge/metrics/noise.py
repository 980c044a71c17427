"""How large observation noise is, which no model can foretell, and how far a model is from what lies beneath it."""

from typing import Any

import numpy as np

from .metric import Batch, Context, Metric


class Noise(Metric):
    """The mean squared noise is the least error, against what was observed, of a model that knows the clean states.

    Nothing is said where only one of the two is stored.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._noise, self._error = np.zeros(len(context.components)), 0.0
        self._points = 0

    def add(self, batch: Batch) -> None:
        if batch.observed is None or batch.clean is None:
            return
        self._noise += np.square(batch.observed - batch.clean).sum(axis=(0, 1))
        self._error += float(np.square(batch.predicted - batch.clean).sum())
        self._points += batch.clean.shape[0] * batch.clean.shape[1]

    def result(self) -> dict[str, Any]:
        if not self._points:
            return {}
        by_component = self._noise / self._points
        said = {
            "mse": float(by_component.mean()),
            "rms": float(np.sqrt(by_component.mean())),
            "mse_by_component": dict(zip(self.context.components, by_component.tolist(), strict=True)),
            "target": "clean" if self.context.learns_clean else "observed",
            "model_mse_without_noise": self._error / (self._points * len(by_component)),
        }
        return {"noise": said}
