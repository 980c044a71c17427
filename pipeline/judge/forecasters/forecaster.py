"""What a forecaster is, and how baselines go on step by step."""

from typing import Any, Protocol, Self

import numpy as np

from .examples import Examples

LOST = 1e3

Carry = Any
"""What goes along from step to step: a tuple of arrays, each of which begins with one entry for each rollout."""


class Forecaster(Protocol):
    """Goes on from a history."""

    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        """The next states.

        Args:
            history: (N, W, D) float64 in raw units, the latest state last.
            steps: How many.
            parameters: (N, P) of the system.

        Returns:
            (N, steps, D) float64 in raw units; what is not finite counts as wrong.
        """
        ...


class Baseline:
    """A forecaster that is fitted within seconds on the train split.

    One that goes on step by step says what it carries along: `begin` and `advance`.
    """

    @classmethod
    def fit(cls, train: Examples, validation: Examples) -> Self | None:
        """None where it makes no sense for such states. `validation` decides what is to be chosen."""
        raise NotImplementedError

    stride = 1

    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[Carry, ...]:
        """What is carried along from a history (N, W, D), parameters (N, P)."""
        raise NotImplementedError

    def advance(self, carry: tuple[Carry, ...]) -> tuple[np.ndarray, tuple[Carry, ...]]:
        """The next states (N, D), and what is carried along from there."""
        raise NotImplementedError

    def keeps(self, states: np.ndarray) -> np.ndarray:
        """Which of states (N, D) are within bounds, (N,) bool: a rollout ends where it leaves them."""
        return np.asarray(np.isfinite(states).all(axis=1))

    def go_on(self, history: np.ndarray, steps: int, parameters: np.ndarray) -> np.ndarray:
        """As of every forecaster; NaN from where a rollout leaves all bounds."""
        predicted = np.full((len(history), steps, history.shape[2]), np.nan)
        carry, going = self.begin(history, parameters), np.arange(len(history))
        for step in range(steps):
            now, carry = self.advance(carry)
            kept = self.keeps(now)
            if not kept.all():
                now, going, carry = now[kept], going[kept], tuple(part[kept] for part in carry)
                if not len(going):
                    break
            predicted[going, step] = now
        return predicted


def near(states: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Which of states (N, D) are within a thousand deviations of the mean, (N,) bool: beyond, float64 soon ends."""
    return np.asarray((np.abs(states - mean) < LOST * scale).all(axis=1))
