"""How a baseline chooses its settings: by rollouts on the validation split."""

from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from .examples import Series
from .forecaster import Baseline

Found = TypeVar("Found", bound=Baseline)

# Of each rollout, and how many there are at most.
HISTORY, STEPS, STARTS = 100, 100, 40


def best_on(validation: Series, scale: np.ndarray, candidates: Iterable[Found]) -> Found | None:
    """The candidate whose rollouts miss the validation split least; the first of equals, None of none.

    What a rollout misses counts in units of `scale` (D,) and no more than 1 at each time: once it is lost, it does
    not matter how far it goes astray.
    """
    history, truth = _cut(validation.states)
    told = np.empty((len(history), 0))
    best: tuple[float, Found] | None = None
    for candidate in candidates:
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = candidate.go_on(history, truth.shape[1], told)
            missed = np.sqrt(np.square((predicted - truth) / scale).mean(axis=2))
        score = float(np.where(missed < 1.0, missed, 1.0).mean())
        if best is None or score < best[0]:
            best = score, candidate
    return None if best is None else best[1]


def _cut(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Histories (N, W, D) and what follows them (N, S, D), cut from stretches (n, L, D) of rows."""
    length = states.shape[1]
    steps = max(1, min(STEPS, length // 2))
    warmup = max(1, min(HISTORY, length - steps))
    windows = np.lib.stride_tricks.sliding_window_view(states, warmup + steps, axis=1)
    flat = windows.reshape(-1, *windows.shape[2:]) if len(states) * windows.shape[1] <= STARTS else None
    if flat is None:
        rows, begins = np.divmod(
            np.linspace(0, len(states) * windows.shape[1] - 1, STARTS).astype(np.int64), windows.shape[1]
        )
        flat = windows[rows, begins]
    cut = np.moveaxis(flat, 2, 1)
    return cut[:, :warmup], cut[:, warmup:]
