"""Errors of rollouts: the mean square, and in units of the components' deviations, at each time as well.

Blind to everything but distance: of a chaotic system both end at the error of an unrelated trajectory.
"""

from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import Errors
from .metric import Batch


class RolloutErrors(Errors):
    """`mse` and `nrmse` of the rollouts that are finite throughout, their given start included; left out where there
    is none.
    """

    over = "rollouts"
    better = MappingProxyType({})

    def add(self, batch: Batch) -> None:
        finite = np.isfinite(batch.predicted).all(axis=(1, 2))
        if finite.any():
            with np.errstate(over="ignore"):
                super().add(Batch(batch.true[finite], batch.predicted[finite]))

    def result(self) -> dict[str, Any]:
        if not self._count:
            return {}
        found = super().result()
        return {key: found[key] for key in ("mse", "nrmse", "nrmse_by_time")}
