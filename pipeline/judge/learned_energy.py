"""The energy that a network has learned, beside the true one: at states of the split, and over the plane."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from ...data.shard.schema import CLEAN_STATE
from ...models import Model
from ...models.field import EnergyModel
from .metrics.energy import Energy
from .metrics.metric import Context
from .movement import spread, varies
from .predictions import NetworkSamples
from .truth import Truth

# States at which energies are compared; and lines of the grid over a plane, which is so much wider than these are.
STATES, GRID, MARGIN = 4_000, 81, 0.08


@dataclass(frozen=True)
class LearnedEnergy:
    """Of a network, and of the equations where they have one.

    Attributes:
        model: Which has an energy, of states in raw units.
        samples: Of the split, as the network sees them, with the parameters that it is told.
        truth: Integrates the equations, where there are any.
        context: What metrics over the targets are told.
    """

    model: EnergyModel
    samples: NetworkSamples
    truth: Truth | None
    context: Context

    @classmethod
    def of(cls, model: Model, samples: NetworkSamples, truth: Truth | None, context: Context) -> Self | None:
        """None of a network that has no energy, or none of states in raw units."""
        if not isinstance(model, EnergyModel) or not model.pairs or samples.seen.normalizer is not None:
            return None
        return cls(model, samples, truth, context)

    def result(self) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """What `test` of metrics.json has of it, and arrays for figures.

        `hamiltonian_error` is the root mean square of what the learned energy is off by, but for a constant, in parts
        of the deviation of the true one. Where parameters vary there is none: each set of them has a constant of its
        own, which no slope tells.
        """
        test = self.samples.test
        numbers = spread(len(test), max(1, STATES // test.windows.length))
        variable = CLEAN_STATE if CLEAN_STATE in test.store.variables else "state"
        states = test.states(numbers, variable).double().numpy()
        told = self.samples.seen[torch.from_numpy(numbers)][0][..., states.shape[2] :].double().numpy()
        rows = test.places(numbers)[0]
        learned = self._learned(states, told)
        arrays = {"hamiltonian_learned": learned.ravel(), "hamiltonian_pairs": np.array(self.model.pairs)}
        found = {}
        known = self.truth is not None and Energy.wanted(self.context) and not self._varies(rows)
        if known:
            true = self._true(states, rows)
            arrays["hamiltonian_true"] = true.ravel()
            size = float(np.std(true))
            if size > 0:
                found["hamiltonian_error"] = float(np.std(learned - true)) / size
        if states.shape[2] == 2:
            axes, plane = self._plane(states)
            arrays |= {
                "hamiltonian_axes": axes,
                "hamiltonian_grid": self._learned(
                    plane, np.broadcast_to(told[:1, :1], (GRID, GRID, told.shape[2]))
                ),
            }
            if known:
                arrays["hamiltonian_grid_true"] = self._true(plane, np.repeat(rows[:1], GRID))
        return found, arrays

    def _varies(self, rows: np.ndarray) -> bool:
        return self.truth is not None and varies(self.truth.parameters(rows))

    @torch.no_grad()
    def _learned(self, states: np.ndarray, told: np.ndarray) -> np.ndarray:
        """H (n, T) of states (n, T, D), told (n, T, P)."""
        weights = next(self.model.parameters())
        given = (torch.tensor(part).to(weights) for part in (states, told))
        return self.model.hamiltonian(*given).double().cpu().numpy()

    def _true(self, states: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """H (n, T) of states (n, T, D), with the parameters of rows (n,)."""
        assert self.truth is not None
        return Energy(self.context).energy(states, self.truth.parameters(rows))

    def _plane(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values of each component (2, GRID), and states (GRID, GRID, 2) whose first component varies along a row."""
        low, high = states.min(axis=(0, 1)), states.max(axis=(0, 1))
        margin = MARGIN * np.where(high > low, high - low, 1.0)
        axes = np.linspace(low - margin, high + margin, GRID, axis=1)
        return axes, np.stack(np.meshgrid(*axes), axis=-1)
