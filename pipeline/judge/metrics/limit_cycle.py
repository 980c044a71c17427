"""Does a model come to the limit cycle, with the right amplitude and period?"""

from typing import Any

import numpy as np

from .cycle import Cycle, measure_cycle
from .metric import Batch, Context, Metric

# A prediction that oscillates with less than this part of the true amplitude has no cycle.
SMALLEST_CYCLE = 0.01


class LimitCycle(Metric):
    """Amplitude and period of the first component, measured over the last half of each rollout.

    `true` is the limit cycle's, from the equations; `predicted` the median over the rollouts; the errors compare each
    rollout with the true trajectory from the same start, measured in the same way, for by then it may not yet have
    come to the cycle. None where there is no limit cycle that all trajectories come to.
    """

    over = "rollouts"
    floor = None
    # It takes longer than all the rest of an evaluation.
    of_baselines = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pairs: list[tuple[Cycle, Cycle]] = []

    def add(self, batch: Batch) -> None:
        if self.context.cycle is None:
            return
        end = -(len(self.context.times) // 2)
        times, smallest = self.context.times[end:], SMALLEST_CYCLE * self.context.cycle.amplitude
        for predicted, true in zip(batch.predicted, batch.true, strict=True):
            found, exact = (measure_cycle(times, path[end:, 0]) for path in (predicted, true))
            if found is not None and exact is not None and found.amplitude > smallest:
                self._pairs.append((found, exact))

    def result(self) -> dict[str, Any]:
        return {
            "with_cycle": len(self._pairs),
            "amplitude": self._compare("amplitude"),
            "period": self._compare("period"),
        }

    def _compare(self, what: str) -> dict[str, float | None] | None:
        if self.context.cycle is None:
            return None
        found = np.array([[getattr(side, what) for side in pair] for pair in self._pairs]).reshape(-1, 2)
        error = np.abs(found[:, 0] / found[:, 1] - 1)
        return {
            "true": float(getattr(self.context.cycle, what)),
            "predicted": float(np.median(found[:, 0])) if len(found) else None,
            "relative_error": float(np.median(error)) if len(found) else None,
            "largest_relative_error": float(error.max()) if len(found) else None,
        }
