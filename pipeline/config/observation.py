"""The [observation] section: what of a trajectory is seen, with which noise, and what is kept beside it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.folder.stated_observation import Noise, StatedObservation
from ...data.shard.schema import CLEAN_STATE, DERIVATIVE
from ..dynamics.engines.base.engine import REVISION
from ..dynamics.random_rows import NOISE, standard_normal, uniform_of
from ..dynamics.systems import System

# Random numbers at once: rows of long trajectories are drawn a few at a time.
BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True)
class Observed:
    """What is stored of some rows: `state` (N, T, D), and by name what is kept beside it, of the same shape."""

    state: np.ndarray
    beside: dict[str, np.ndarray]


class Observation(StatedObservation):
    """What is stored of the trajectories that an engine gives."""

    def check(self, system: System) -> None:
        """Raises TrajstoreError if the section does not go with the system."""
        self.check_names(system.states)
        if self.derivative:
            system.check_slopes()

    def names(self, system: System) -> tuple[str, ...]:
        """The observed components, in the system's order."""
        return self.names_among(system.states)

    def columns(self, system: System) -> list[int]:
        """Their places among the system's states."""
        return [system.states.index(name) for name in self.names(system)]

    def to_dict(self, system: System) -> dict[str, Any]:
        """JSON-ready: what departs from storing all states as they are; empty where nothing does."""
        described = self.model_dump(exclude_none=True, exclude_defaults=True)
        if self.components is not None and len(self.components) == len(system.states):
            del described["components"]
        return described

    def observe(
        self,
        system: System,
        seed: int,
        split: str,
        rows: np.ndarray,
        states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        revision: int = REVISION,
    ) -> Observed:
        """What is stored of rows (N,) of a split with these states (N, T, S) and parameters (N, P), float64.

        revision  of the engine that made the rows

        Noise of a row is a function of (seed, split, row), the revision and its states. Rows of NaN stay NaN.
        """
        columns = self.columns(system)
        beside = {}
        if self.derivative:
            with np.errstate(all="ignore"):
                beside[DERIVATIVE] = system.slopes(states, parameters, times)[..., columns]
        clean = states if len(columns) == states.shape[2] else np.ascontiguousarray(states[..., columns])
        if self.noise is None:
            return Observed(clean, beside)
        if self.clean:
            beside[CLEAN_STATE] = clean
        # The spread of huge states may overflow; such a row has then failed.
        with np.errstate(all="ignore"):
            return Observed(self._noisy(self.noise, system, seed, split, rows, clean, revision), beside)

    def _noisy(
        self,
        noise: Noise,
        system: System,
        seed: int,
        split: str,
        rows: np.ndarray,
        clean: np.ndarray,
        revision: int,
    ) -> np.ndarray:
        amount = noise.of_each(self.names(system))
        noisy = np.empty_like(clean)
        block = max(1, BLOCK_NUMBERS // clean[0].size) if len(clean) else 1
        for start in range(0, len(clean), block):
            some = clean[start : start + block]
            numbers = uniform_of(seed, split, NOISE, rows[start : start + block], some[0].size, revision)
            spread = amount
            if noise.absolute is None:
                # Along rows of contiguous numbers, which NumPy adds up in the same order however many rows there are.
                along = np.ascontiguousarray(some.transpose(0, 2, 1))
                if noise.relative is not None:
                    unit = along.std(axis=2)
                else:
                    unit = np.sqrt(np.square(np.diff(along, axis=2)).mean(axis=2))
                spread = amount * unit[:, None]
            noisy[start : start + block] = some + spread * standard_normal(numbers).reshape(some.shape)
        return noisy
