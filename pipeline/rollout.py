"""Long rollouts: the model's own last prediction is its next start."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.format import Status
from ..data.normalize import Normalizer
from ..models import RecurrentModel
from .cycle import Cycle, measure_cycle, true_cycle
from .engines import Engine

# Normalised error at which a forecast is no longer valid (as in Vlachas et al. 2020,
# doi:10.1016/j.neunet.2020.02.016).
VALID_ERROR = 0.5
# Sampling intervals of the true cycle for each of the grid's.
CYCLE_OVERSAMPLING = 10


@dataclass(frozen=True)
class Rollouts:
    """Long trajectories from the same initial states: `true` and `predicted` (N, T, D) at `times` (T,)."""

    times: np.ndarray
    true: np.ndarray
    predicted: np.ndarray


@torch.no_grad()
def roll_out(
    model: RecurrentModel,
    normalizer: Normalizer | None,
    task: str,
    starts: np.ndarray,
    window: int,
    lengths: int,
) -> np.ndarray:
    """Predictions (N, lengths * (window - 1) + 1, D) in raw units from starts (N, D).

    initial-value: the last state of a predicted trajectory is the next x(0), `lengths` times.
    forecast: each prediction is the next input, and the hidden state goes along.
    """
    states = torch.from_numpy(starts).to(torch.float32)
    first = states if normalizer is None else normalizer.apply(states)
    pieces = [first[:, None]]
    if task == "forecast":
        hidden, now = None, first
        for _ in range(lengths * (window - 1)):
            now, hidden = model.step(now, hidden)
            pieces.append(now[:, None])
    else:
        for _ in range(lengths):
            inputs = first.new_zeros(len(first), window, first.shape[1])
            inputs[:, 0] = pieces[-1][:, -1]
            pieces.append(model(inputs)[:, 1:])
    return _raw(torch.cat(pieces, dim=1), normalizer)


def _raw(values: Tensor, normalizer: Normalizer | None) -> np.ndarray:
    return (values if normalizer is None else normalizer.invert(values)).double().numpy()


def true_rollouts(
    engine: Engine, starts: np.ndarray, parameters: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The true trajectories (n, T, D), and which of the starts they belong to: those that do not fail."""
    solution = engine.solve(starts, parameters, times)
    sound = solution.status == Status.OK
    return solution.states[sound], sound


def judge(
    rollouts: Rollouts, scale: np.ndarray, engine: Engine, parameters: np.ndarray, starts: np.ndarray
) -> dict[str, Any]:
    """Figures of long rollouts, JSON-ready.

    scale  (D,) standard deviation of each component, for the valid prediction time

    Amplitude and period are those of the first component, over the last half of a rollout, when it has come
    to the cycle; the true ones come from the equations. None where there is no cycle.
    """
    times = rollouts.times
    error = np.sqrt((((rollouts.predicted - rollouts.true) / scale) ** 2).mean(axis=2))
    invalid = ~(error < VALID_ERROR)
    valid = np.where(invalid.any(axis=1), times[invalid.argmax(axis=1)], times[-1])
    half = len(times) // 2
    cycles = [measure_cycle(times[half:], path[half:, 0]) for path in rollouts.predicted]
    found = [cycle for cycle in cycles if cycle is not None]
    step = (times[1] - times[0]) / CYCLE_OVERSAMPLING
    truth = true_cycle(engine, starts[0], parameters[0], float(times[-1]), float(step))
    return {
        "trajectories": len(rollouts.true),
        "duration": float(times[-1]),
        "finite": int(np.isfinite(rollouts.predicted).all(axis=(1, 2)).sum()),
        "with_cycle": len(found),
        "valid_prediction_time": {"median": float(np.median(valid)), "minimum": float(valid.min())},
        "final_nrmse": float(np.sqrt(np.nanmean(error[:, -1] ** 2))),
        "amplitude": _compare(truth, found, "amplitude"),
        "period": _compare(truth, found, "period"),
    }


def _compare(truth: Cycle | None, found: list[Cycle], what: str) -> dict[str, float | None] | None:
    if truth is None:
        return None
    true = float(getattr(truth, what))
    if not found:
        return {"true": true, "predicted": None, "spread": None, "relative_error": None}
    values = np.array([getattr(cycle, what) for cycle in found])
    median = float(np.median(values))
    return {
        "true": true,
        "predicted": median,
        "spread": float(np.ptp(values)),
        "relative_error": abs(median / true - 1),
    }
