"""Long rollouts: the model's own last prediction is its next start."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ...data.base.arguments import whole_number
from ...data.base.errors import DataError
from ...data.batches.normalize import Normalizer
from ...data.tasks.registry import get_task
from ...data.tasks.task import Task
from ...models import Model
from .cycle import Cycle, measure_cycle

# Normalised error at which a forecast is no longer valid (as in Vlachas et al. 2020,
# doi:10.1016/j.neunet.2020.02.016).
VALID_ERROR = 0.5
# A prediction that oscillates with less than this part of the true amplitude has no cycle.
SMALLEST_CYCLE = 0.01


@dataclass(frozen=True)
class Rollouts:
    """Long trajectories from the same initial states: `true` and `predicted` (N, T, D) at `times` (T,)."""

    times: np.ndarray
    true: np.ndarray
    predicted: np.ndarray


@torch.no_grad()
def roll_out(
    model: Model,
    normalizer: Normalizer | None,
    task: str | Task,
    starts: ArrayLike,
    window: int,
    lengths: int,
    channels: ArrayLike | None = None,
) -> np.ndarray:
    """Predictions (N, lengths * (window - 1) + 1, D) float64 in raw units from starts (N, D).

    model     computes in the type that its weights have, where they lie
    channels  (N, P) parameters as the model is told them, beside the states at every step

    initial-value: the last state of a predicted trajectory is the next x(0), `lengths` times.
    forecast: each prediction is the next input, and the hidden state goes along.
    Raises DataError for another task, or for starts or channels of another shape than the model takes.
    """
    task = get_task(task)
    if normalizer is not None and not isinstance(normalizer, Normalizer):
        raise DataError(
            f"normalizer is {normalizer!r:.80}; expected a Normalizer, as `load_normalizer` gives it"
        )
    window, lengths = whole_number("window", window, 2), whole_number("lengths", lengths, 1)
    starts = _rows("starts", starts)
    told = np.empty((len(starts), 0)) if channels is None else _rows("channels", channels)
    _check_sizes(model, starts, told)
    states = torch.from_numpy(starts).to(**_kind(model))
    first = (states if normalizer is None else normalizer.apply(states))[:, None]
    predicted = task.go_on(model, first, lengths * (window - 1), first.new_tensor(told), window)
    return _raw(torch.cat([first, predicted], dim=1), normalizer)


def _rows(name: str, values: ArrayLike) -> np.ndarray:
    """Numbers in rows and columns, float64. Raises DataError, which names the argument, for anything else."""
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.ndim != 2:
        raise DataError(
            f"{name} is {values!r:.80}; expected numbers of two dimensions, a row for each rollout"
        )
    return found


def _kind(model: Model) -> dict[str, Any]:
    """Type and device of a model's weights; of one that has none, float32 on the CPU."""
    weights = next(model.parameters(), None) if isinstance(model, torch.nn.Module) else None
    if weights is None:
        return {"dtype": torch.float32}
    return {"dtype": weights.dtype, "device": weights.device}


def _check_sizes(model: Model, starts: np.ndarray, told: np.ndarray) -> None:
    """Raises DataError if the starts and what is told beside them are not what the model takes."""
    if len(told) != len(starts):
        raise DataError(f"channels have {len(told)} rows, starts have {len(starts)}; expected as many")
    if not hasattr(model, "input_size"):
        # One of another make, which says nothing of its sizes.
        return
    components, inputs = model.output_size, model.input_size
    if (starts.shape[1], told.shape[1]) != (components, inputs - components):
        raise DataError(
            f"starts of {starts.shape[1]} components and {told.shape[1]} channels; expected {components} and "
            f"{inputs - components}, which the model was trained on"
        )


def _raw(values: Tensor, normalizer: Normalizer | None) -> np.ndarray:
    return (values if normalizer is None else normalizer.invert(values)).double().cpu().numpy()


def judge(rollouts: Rollouts, scale: np.ndarray, cycle: Cycle | None) -> dict[str, Any]:
    """Figures of long rollouts, JSON-ready.

    scale  (D,) standard deviation of each component, for the valid prediction time
    cycle  the limit cycle to which all come, by its first component; None where there is none

    Amplitude and period are those of the first component. `true` is the limit cycle's, from the equations;
    `predicted` the median over the rollouts, each measured over its last half; the errors compare each rollout
    with the true trajectory from the same start, measured in the same way, for by then it may not yet have come
    to the cycle. None where the system has no limit cycle, or its equations depend on time.
    """
    times = rollouts.times
    error = np.sqrt((((rollouts.predicted - rollouts.true) / scale) ** 2).mean(axis=2))
    invalid = ~(error < VALID_ERROR)
    valid = np.where(invalid.any(axis=1), times[invalid.argmax(axis=1)], times[-1])
    pairs = _pairs(rollouts, cycle) if cycle else []
    return {
        "trajectories": len(rollouts.true),
        "duration": float(times[-1]),
        "finite": int(np.isfinite(rollouts.predicted).all(axis=(1, 2)).sum()),
        "with_cycle": len(pairs),
        "valid_prediction_time": {"median": float(np.median(valid)), "minimum": float(valid.min())},
        "final_nrmse": float(np.sqrt(np.nanmean(error[:, -1] ** 2))),
        "amplitude": _compare(cycle, pairs, "amplitude"),
        "period": _compare(cycle, pairs, "period"),
    }


def _pairs(rollouts: Rollouts, cycle: Cycle) -> list[tuple[Cycle, Cycle]]:
    """Cycles of the end of each rollout, predicted and true, where both oscillate."""
    end = -(len(rollouts.times) // 2)
    smallest = SMALLEST_CYCLE * cycle.amplitude
    pairs = []
    for predicted, true in zip(rollouts.predicted, rollouts.true, strict=True):
        found, exact = (measure_cycle(rollouts.times[end:], path[end:, 0]) for path in (predicted, true))
        if found is not None and exact is not None and found.amplitude > smallest:
            pairs.append((found, exact))
    return pairs


def _compare(
    cycle: Cycle | None, pairs: list[tuple[Cycle, Cycle]], what: str
) -> dict[str, float | None] | None:
    if cycle is None:
        return None
    found = np.array([[getattr(side, what) for side in pair] for pair in pairs]).reshape(-1, 2)
    error = np.abs(found[:, 0] / found[:, 1] - 1)
    return {
        "true": float(getattr(cycle, what)),
        "predicted": float(np.median(found[:, 0])) if pairs else None,
        "relative_error": float(np.median(error)) if pairs else None,
        "largest_relative_error": float(error.max()) if pairs else None,
    }
