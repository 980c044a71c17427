"""D_stsp: how much the states that a free run visits differ from those of the truth, as densities in state space.

The Kullback-Leibler divergence of histograms, as Hess et al. 2023, arXiv 2306.04406, bin them: 30 bins a
dimension over the truth's range and a tenth of a deviation on each side; generated points outside are dropped. A
run that is not finite throughout has none: what is left of it would say nothing of where it goes.
It depends on the number of points: it goes with its floor, the same between true runs. Blind to the order in
which states come. In many dimensions nearly all bins are empty whatever is compared, so it is for 6 at most.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from .metric import Batch, Context, Metric, spread_of
from .rest import at_rest

BINS, MARGIN, SMOOTHING = 30, 0.1, 1e-5
MOST_DIMENSIONS = 6


class DStsp(Metric):
    """`d_stsp`, the mean over pairs of a free run and a true one, and `d_stsp_std` over them; 0 is best.

    Left out above 6 dimensions; `d_stsp_by_component` has the same of each component by itself, in any number.
    """

    over = "free-runs"
    pools = True
    better = MappingProxyType({"d_stsp": "lower"})

    @classmethod
    def selectable(cls, context: Context) -> Mapping[str, Literal["lower", "higher"]]:
        return cls.better if len(context.components) <= MOST_DIMENSIONS else {}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._found: list[float] = []
        self._by_component: list[list[float]] = []

    def add(self, batch: Batch) -> None:
        components = len(self.context.components)
        for true, predicted in zip(batch.true, batch.predicted, strict=True):
            if components <= MOST_DIMENSIONS:
                self._found.append(d_stsp(true, predicted))
            self._by_component.append([d_stsp(true[:, [k]], predicted[:, [k]]) for k in range(components)])

    def result(self) -> dict[str, Any]:
        by_component = np.mean(self._by_component, axis=0) if self._by_component else np.empty(0)
        named = {
            name: float(value)
            for name, value in zip(self.context.components, by_component, strict=False)
            if np.isfinite(value)
        }
        return {**spread_of("d_stsp", self._found), **({"d_stsp_by_component": named} if named else {})}


def d_stsp(true: np.ndarray, predicted: np.ndarray) -> float:
    """Of a true run (T, D) and another (T', D); NaN if the other is not finite throughout, or never within the bins.

    Components in which the truth rests have no width that could be cut into bins, and are passed over; NaN if it
    rests in all.
    """
    moves = ~at_rest(true)
    if not moves.any() or not np.isfinite(predicted).all():
        return float("nan")
    true, predicted = true[:, moves], predicted[:, moves]
    deviation = true.std(axis=0)
    low, high = true.min(axis=0) - MARGIN * deviation, true.max(axis=0) + MARGIN * deviation
    width = (high - low) / BINS
    counted = [_counts(states, low, high, width) for states in (true, predicted)]
    if not counted[1]:
        return float("nan")
    cells = float(BINS) ** true.shape[1]
    bins = sorted(counted[0].keys() | counted[1].keys())
    p, q = (np.array([counts.get(cell, 0) for cell in bins], dtype=float) + SMOOTHING for counts in counted)
    totals = [sum(counts.values()) + SMOOTHING * cells for counts in counted]
    p, q = p / totals[0], q / totals[1]
    # All bins that both left empty are alike.
    empty = (cells - len(bins)) * SMOOTHING / totals[0] * np.log(totals[1] / totals[0])
    return float((p * np.log(p / q)).sum() + empty)


def _counts(states: np.ndarray, low: np.ndarray, high: np.ndarray, width: np.ndarray) -> dict[int, int]:
    """How many of states (T, D) lie in each bin, by its number; those outside are dropped."""
    inside = states[((states >= low) & (states <= high)).all(axis=1)]
    places = np.minimum(((inside - low) / width).astype(np.int64), BINS - 1)
    cells, counts = np.unique(places @ BINS ** np.arange(states.shape[1]), return_counts=True)
    return dict(zip(cells.tolist(), counts.tolist(), strict=True))
