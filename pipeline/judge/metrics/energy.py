"""The error of the energy along rollouts, of systems that have one.

Blind to errors along a surface of constant energy, such as those of the phase.
"""

from types import MappingProxyType
from typing import Any

import numpy as np

from .metric import Batch, Context, Metric


class Energy(Metric):
    """`energy_mse`: the mean square of what the energy along a rollout differs by from that of its true start;
    `energy_worst` is that of the worst rollout.

    Over the rollouts that are finite. Its floor is the same along the truth itself, which has been integrated.
    """

    over = "rollouts"
    floor = "itself"
    better = MappingProxyType({"energy_mse": "lower", "energy_worst": "lower"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._squares, self._count, self._worst = 0.0, 0, 0.0
        self._left_out = 0

    @classmethod
    def wanted(cls, context: Context) -> bool:
        """Where the equations have an energy that does not depend on time, and all states are seen."""
        system = context.system
        if system is None or system.energy is None or system.energy.has(system.time_symbol):
            return False
        return tuple(system.states) == tuple(context.components)

    def add(self, batch: Batch) -> None:
        finite = np.isfinite(batch.predicted).all(axis=(1, 2))
        self._left_out += int((~finite).sum())
        parameters = batch.parameters
        if not finite.any() or parameters is None:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            start = self.energy(batch.true[finite, :1], parameters[finite])
            missed = self.energy(batch.predicted[finite], parameters[finite]) - start
            squares = np.square(missed)
            self._squares += float(squares.sum())
            # Where energies are infinite, it may be NaN, which is not to be passed over.
            self._worst = float(np.maximum(self._worst, squares.mean(axis=1).max()))
        self._count += missed.size

    def energy(self, states: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """H (n, T) of states (n, T, D), parameters (n, P)."""
        system = self.context.system
        assert system is not None
        energy = system.along(system.energy, states, parameters, np.zeros(states.shape[1]))
        return np.broadcast_to(np.asarray(energy), states.shape[:2])

    def chosen_by(self, key: str) -> float | None:
        return None if self._left_out else super().chosen_by(key)

    def result(self) -> dict[str, Any]:
        if not self._count:
            return {}
        return {"energy_mse": self._squares / self._count, "energy_worst": self._worst}
