"""Stateful runs: a network is given the inputs of whole rows, one at a time, and keeps its memory all along."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...data.batches.dataset import TrajectoryDataset
from ...models import Model
from .metrics.metric import Context, Metric, results
from .movement import spread
from .predictions import NetworkSamples

# However long rows are: a network steps over more for hours.
MOST_POINTS = 100_000
# Rows, and points of each, that figures show.
SHOWN_ROWS, SHOWN_POINTS = 4, 20_000


class StatefulRuns(NetworkSamples):
    """Some rows of a split, spread over all, each stepped over from its first point to its last.

    Args:
        model: In evaluation mode.
        test: The split in raw units, cut as `whole` says.
        seen: The same as the network sees it.
        most: How many rows.
    """

    # A step takes as long for many rows as for one.
    batch_points = 64 * MOST_POINTS

    def __init__(self, model: Model, test: TrajectoryDataset, seen: TrajectoryDataset, most: int) -> None:
        super().__init__(model, test, seen)
        self.numbers = spread(len(self), most)

    @staticmethod
    def whole(points: int) -> dict[str, int]:
        """How a TrajectoryDataset is cut into rows of so many points, one sample each."""
        return {"window": min(points, MOST_POINTS), "stride": points}

    def _outputs(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs, memory = [], None
        for now in inputs.unbind(1):
            output, memory = self._model.step(now, memory)
            outputs.append(output)
        return torch.stack(outputs, dim=1)

    def judged(
        self, kinds: Sequence[type[Metric]], context: Context
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What metrics over whole rows give, and the first rows, for figures.

        Args:
            kinds: The metrics; those over something else are passed over.
            context: What metrics over the targets are told.
        """
        told = replace(context, times=self.times)
        metrics = [kind(told) for kind in kinds if kind.over == "rows" and kind.wanted(told)]
        shown: dict[str, np.ndarray] = {}
        for seen in self.batches(self.numbers):
            batch = seen.batch
            for metric in metrics:
                metric.add(batch)
            if not shown:
                part = np.s_[:SHOWN_ROWS, :SHOWN_POINTS]
                arrays = {"inputs": seen.inputs, "true": batch.true, "predicted": batch.predicted}
                shown = {f"stateful_{name}": values[part] for name, values in arrays.items()}
                time = self.test.time - self.test.time[0]
                shown["stateful_time"] = self.times[:SHOWN_POINTS]
                shown["stateful_input_time"] = time[: seen.inputs.shape[1]][:SHOWN_POINTS]
                shown["stateful_row"] = self.test.stored_rows(seen.numbers[:SHOWN_ROWS])
        return results(metrics), shown
