"""The largest Lyapunov exponent of what is judged, beside that of the equations.

The mean rate at which two runs of its closed loop part that are next to each other (Benettin et al. 1980,
doi:10.1007/BF02128236): of its state and of whatever else it remembers. Blind to where on the attractor it is,
and to all but the fastest of the directions in which runs part.
"""

from types import MappingProxyType
from typing import Any

import numpy as np

from .metric import Batch, Context, Metric, spread_of


class Lyapunov(Metric):
    """`lyapunov`, a unit of time, the mean over free runs, and `lyapunov_std` over them; the floor is the
    equations' own.
    """

    over = "free-runs"
    better = MappingProxyType({})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._found: list[float] = []

    def add(self, batch: Batch) -> None:
        # The same runs come again, beside other true ones.
        if not self._found and self.context.exponents is not None:
            self._found = self.context.exponents(batch.predicted, batch.parameters)

    def result(self) -> dict[str, Any]:
        return spread_of("lyapunov", [value for value in self._found if np.isfinite(value)])
