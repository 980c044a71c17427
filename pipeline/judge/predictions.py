"""Predictions of a split, batch by batch, beside what is true: a network's, or those that another program made."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...data.batches.dataset import TrajectoryDataset
from ...data.shard.schema import CLEAN_STATE
from ...models import Model
from ...models.footprint import outputs_of
from .forecasters.first_state import Predictor, make_baselines
from .metrics.metric import Batch, Metric
from .movement import choose, moving, spread

# Samples that are judged at once, and points of them.
BATCH, BATCH_POINTS = 4096, 200_000
# Numbers that are kept for quantiles of the error at each time, and of targets among which figures choose.
KEPT_NUMBERS = 4_000_000
CANDIDATES = 4096
# Enough rows to fit the largest polynomial, few enough to fit it at once; and numbers in both and its coefficients.
BASELINE_ROWS, BASELINE_NUMBERS = 20_000, 8_000_000
SHOWN_TRAJECTORIES = 12
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Seen:
    """A batch as a model and as a judge see it.

    Attributes:
        numbers: (n,) of the samples.
        inputs: (n, T', D') float64 in raw units, without channels.
        batch: What is foretold, and what is true.
    """

    numbers: np.ndarray
    inputs: np.ndarray
    batch: Batch


class Samples:
    """Samples of a split, each with what is foretold of it.

    Args:
        test: The split in raw units.

    Attributes:
        times: (T',) of the targets, after the first point of a sample.
        batch_points: Points of the samples that are judged at once.
    """

    batch_points = BATCH_POINTS

    def __init__(self, test: TrajectoryDataset) -> None:
        self.test = test
        self._has_clean = CLEAN_STATE in test.store.variables
        window = test.time[: test.windows.length]
        self.times = test.task.target_times(window - window[0])

    def __len__(self) -> int:
        return len(self.test)

    def windows(self, numbers: np.ndarray) -> np.ndarray:
        """Which samples of `test` these are."""
        return numbers

    def predicted(self, numbers: np.ndarray) -> np.ndarray:
        """What is foretold of samples (n,): (n, T', D'') float64 in raw units."""
        raise NotImplementedError

    def batches(self, numbers: np.ndarray | None = None) -> Iterator[Seen]:
        """Of all samples, or of these."""
        size = max(1, min(BATCH, self.batch_points // self.test.windows.length))
        total = len(self) if numbers is None else len(numbers)
        for first in range(0, total, size):
            last = min(first + size, total)
            yield self._judged(np.arange(first, last) if numbers is None else numbers[first:last])

    def taken_in(self, metric: Metric, numbers: np.ndarray | None = None) -> Metric:
        """The same metric, which has seen all samples, or these."""
        for seen in self.batches(numbers):
            metric.add(seen.batch)
        return metric

    def _judged(self, numbers: np.ndarray) -> Seen:
        predicted, index = self.predicted(numbers), torch.from_numpy(self.windows(numbers))
        inputs, targets = (values.double().numpy() for values in self.test[index])
        observed, clean = None, None
        # Slopes have no noise of their own.
        if self._has_clean and not self.test.task.rates:
            other = self._other_targets(index)
            observed, clean = (other, targets) if self.test.target == CLEAN_STATE else (targets, other)
        return Seen(numbers, inputs, Batch(targets, predicted, observed, clean))

    def _other_targets(self, index: torch.Tensor) -> np.ndarray:
        """What the targets would be of the states with noise, where they are without, and the other way round."""
        variable = "state" if self.test.target == CLEAN_STATE else CLEAN_STATE
        return self.test.task.targets(self.test.states(index, variable), {}).double().numpy()


class NetworkSamples(Samples):
    """All samples of a split, and what a network foretells of them.

    Args:
        model: In evaluation mode.
        test: The split in raw units.
        seen: The same as the network sees it.

    Attributes:
        parameters: Names of those that the network is told.
        seen: The split as the network sees it.
    """

    def __init__(self, model: Model, test: TrajectoryDataset, seen: TrajectoryDataset) -> None:
        super().__init__(test)
        self.parameters, self.seen = seen.parameters, seen
        self._model = model
        self._device = next(model.parameters(), torch.empty(0)).device

    @torch.no_grad()
    def predicted(self, numbers: np.ndarray) -> np.ndarray:
        inputs = self.seen[torch.from_numpy(numbers)][0].to(self._device)
        outputs = outputs_of(self._model, inputs).cpu()
        normalizer = self.seen.target_normalizer
        return (outputs if normalizer is None else normalizer.invert(outputs)).double().numpy()


class ErrorQuantiles:
    """Quantiles over the samples of the error at each time, exact where there are few enough numbers; else of samples
    that are spread evenly over all.
    """

    def __init__(self, samples: int, times: int) -> None:
        self._kept = spread(samples, max(1, KEPT_NUMBERS // times))
        self._errors: list[np.ndarray] = []

    def add(self, seen: Seen) -> None:
        places = np.isin(seen.numbers, self._kept)
        missed = seen.batch.predicted[places] - seen.batch.true[places]
        self._errors.append(np.sqrt(np.square(missed).mean(axis=2)))

    def result(self) -> np.ndarray:
        """(5, T) at QUANTILES."""
        return np.quantile(np.concatenate(self._errors), QUANTILES, axis=0)


class FirstStatePredictors:
    """Trivial predictors, fitted on the train split: from the first state of a sample, or step by step where the task
    shows every state, or the inputs of every step. They see what the model sees.
    """

    def __init__(self, train: TrajectoryDataset, times: np.ndarray) -> None:
        self._task = train.task
        numbers = train.windows.length * len(train.components)
        spare = max(1, BASELINE_NUMBERS // numbers)
        chosen = spread(len(train), min(BASELINE_ROWS, spare))
        inputs, targets = (values.double().numpy() for values in train[chosen])
        given, following = self._task.alone(inputs, targets)
        keep = spread(len(given), BASELINE_ROWS)
        steps = following.shape[1]
        most = BASELINE_NUMBERS // (steps * following.shape[2])
        of_states = given.shape[1] == following.shape[2] and self._task.of_states
        self._predictors: dict[str, Predictor] = {}
        # Rows to learn from may be shorter than what is to be foretold.
        if targets.shape[1] == len(times):
            self._predictors = make_baselines(
                given[keep], following[keep], times[:steps], most, of_states=of_states
            )
        self._squares = {name: np.zeros(len(times)) for name in self._predictors}
        self._count = 0

    def add(self, seen: Seen) -> None:
        targets = seen.batch.true
        given, following = self._task.alone(seen.inputs, targets)
        for name, predict in self._predictors.items():
            missed = (predict(given) - following).reshape(targets.shape)
            self._squares[name] += np.square(missed).mean(axis=2).sum(axis=0)
        self._count += len(targets)

    def result(self) -> dict[str, dict[str, Any]]:
        """`mse`, and `mse_by_time`, of each."""
        means = {name: squares / self._count for name, squares in self._squares.items()}
        return {
            name: {"mse": float(mean.mean()), "mse_by_time": mean.tolist()} for name, mean in means.items()
        }


def shown_samples(samples: Samples) -> np.ndarray:
    """Numbers of some samples that move, spread over all."""
    test = samples.test
    points = CANDIDATES * 1000 // max(1000, test.windows.length)
    candidates = spread(len(samples), max(SHOWN_TRAJECTORIES, points))
    parts = (samples.windows(part) for part in np.array_split(candidates, 8) if len(part))
    targets = np.concatenate([test[part][1].double().numpy() for part in parts])
    return candidates[choose(moving(targets), SHOWN_TRAJECTORIES)]
