"""The echo state network: a random recurrence that is left as it is, and a readout by ridge regression.

Jaeger and Haas 2004, Harnessing nonlinearity, doi:10.1126/science.1091277; every other unit is squared for the
readout, as Lu et al. 2017, doi:10.1063/1.4979665, do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np
from scipy.sparse import csr_array, random_array

from .standardised import Standardised

UNITS, CONNECTIONS, INPUT = 500, 6, 0.1
# What is chosen from: the spectral radius, the leak rate, and the ridge, relative to the features' mean square.
RADII, LEAKS, RIDGES = (0.4, 0.9, 1.2), (1.0, 0.5), (1e-10, 1e-8, 1e-6, 1e-4)
# Points at the beginning of each stretch that are not fitted, for the network has not heard enough.
WASHOUT = 100
SEED = 20040402


@dataclass(frozen=True)
class Recurrence:
    """`weights` (R, R) of the spectral radius that it has, and `inputs` (D + 1, R), the last of a constant."""

    weights: csr_array
    inputs: np.ndarray
    leak: float

    def step(self, units: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Units (n, R) after standardised states (n, D)."""
        driven = (self.weights @ units.T).T + seen @ self.inputs[:-1] + self.inputs[-1]
        return (1 - self.leak) * units + self.leak * np.tanh(driven)

    def run(self, states: np.ndarray) -> np.ndarray:
        """Units (n, T, R) after each of standardised states (n, T, D)."""
        units, kept = np.zeros((len(states), len(self.inputs[0]))), []
        for time in range(states.shape[1]):
            units = self.step(units, states[:, time])
            kept.append(units)
        return np.stack(kept, axis=1)


@dataclass(frozen=True)
class Esn(Standardised):
    """`readout` (R + D + 1, D) of the next standardised state."""

    recurrence: Recurrence
    readout: np.ndarray

    @classmethod
    def candidates(cls, states: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Iterator[Self]:
        if states.shape[1] < 3:
            return
        generator = np.random.default_rng(SEED)
        density = min(1.0, CONNECTIONS / UNITS)
        weights = csr_array(
            random_array(
                (UNITS, UNITS),
                density=density,
                rng=generator,
                data_sampler=lambda size: generator.uniform(-1, 1, size),
            )
        )
        weights = weights / spectral_radius(weights)
        inputs = generator.uniform(-INPUT, INPUT, (states.shape[2] + 1, UNITS))
        washout = min(WASHOUT, states.shape[1] // 4)
        targets = states[:, washout + 1 :].reshape(-1, states.shape[2])
        for radius, leak in product(RADII, LEAKS):
            recurrence = Recurrence(weights * radius, inputs, leak)
            units = recurrence.run(states[:, :-1])[:, washout:]
            features = _features(units.reshape(-1, UNITS), states[:, washout:-1].reshape(-1, states.shape[2]))
            gram, moments = features.T @ features, features.T @ targets
            unit = np.trace(gram) / len(gram)
            for ridge in RIDGES:
                readout = np.linalg.solve(gram + ridge * unit * np.eye(len(gram)), moments)
                yield cls(mean, scale, recurrence, readout)

    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        seen = (history - self.mean) / self.scale
        return self.recurrence.run(seen)[:, -1], seen[:, -1]

    def advance(self, carry: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        units, seen = carry
        now = _features(units, seen) @ self.readout
        return now * self.scale + self.mean, (self.recurrence.step(units, now), now)


def spectral_radius(weights: csr_array) -> float:
    """The largest modulus of the eigenvalues of (R, R).

    All are found, in 0.1 s for 500 units. Arnoldi's method, asked for the largest, takes a fifth of that, and may
    end with another, for the moduli of many lie within 1 %.
    """
    return float(np.abs(np.linalg.eigvals(weights.toarray())).max())


def _features(units: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """What the readout sees, (n, R + D + 1)."""
    squared = units.copy()
    squared[:, ::2] **= 2
    return np.concatenate([squared, seen, np.ones((len(units), 1))], axis=1)
