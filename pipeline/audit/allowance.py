"""What is expected of stored rows, and how far they may be from it, component by component."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.shard.schema import DERIVATIVE
from ...data.shard.shard import Shard
from ..config.observation import Observation
from ..dynamics.engines.base.engine import revision_of
from ..dynamics.engines.base.rounding import ROUNDING
from ..dynamics.engines.settings import REFERENCE_TOLERANCE
from ..dynamics.systems import System
from .growth import NUDGE, Promise
from .reference import Reference

# A global error may be this many times the local tolerance before sensitivity is counted.
SAFETY = 1000.0
# Rows are followed anew from stored states where more than so much of a component's scale would be allowed.
VISIBLE = 3e-8
# Rounding of the states that a piece begins with may be so many units in the last place, in directions that random
# ones miss.
DIRECTIONS = 3.0
# In so many standard deviations lies every normal number that double precision can draw.
FARTHEST = 9.0
# What a straight line between two steps is off by changes slopes more than in proportion, as it is not small.
CURVED = 2.0
# Sums of doubles, in units in the last place.
LAST_PLACES = 8


def promise_of(shard: Shard, rows: np.ndarray, stored: dict[str, Any]) -> Promise:
    """What the looser one of two solvers may err along rows of a shard that the engine that is described made.

    Engines of revision 0 held errors to 1 and the largest number of all components together.
    """
    numbers = {
        key: float(value)
        for key in ("tolerance", "absolute_tolerance")
        if isinstance(value := stored.get(key), int | float) and np.isfinite(value) and value >= 0
    }
    tolerance = max(numbers.get("tolerance", 0.0), REFERENCE_TOLERANCE)
    floor = np.zeros(shard.initial_state[rows].shape)
    if revision_of(stored) == 0:
        largest = np.nan_to_num(np.abs(shard.state[rows].astype(np.float64)).max(axis=(1, 2)))
        largest = np.maximum(largest, np.nan_to_num(np.abs(shard.initial_state[rows]).max(axis=1)))
        floor += max(numbers.values(), default=0.0) / tolerance * (1.0 + largest[:, None])
    elif numbers.get("absolute_tolerance") != numbers.get("tolerance"):
        # The same number means parts of each component's own size.
        floor += numbers.get("absolute_tolerance", 0.0) / tolerance
    rounding = DIRECTIONS * float(np.finfo(shard.state.dtype).eps)
    return Promise(SAFETY * tolerance, floor, rounding, max(VISIBLE, 2 * rounding))


@dataclass(frozen=True)
class Expected:
    """Of a stored variable of one row: values (T, D), how far stored ones may be, and the scales of the components.

    What is not known is infinitely far.
    """

    values: np.ndarray
    allowed: np.ndarray
    scale: np.ndarray


class Allowance:
    """What is stored of rows (K,) if they are as the equations and the config's [observation] say."""

    def __init__(
        self,
        shard: Shard,
        rows: np.ndarray,
        stored: dict[str, Any],
        system: System,
        observation: Observation,
        solved: Reference,
        promise: Promise,
    ) -> None:
        self._shard, self._stored, self._system = shard, stored, system
        self._observation, self._solved, self._promise = observation, solved, promise
        self._columns = observation.columns(system)
        place = (int(shard.attributes["seed"]), str(shard.attributes["split"]), shard.trajectory[rows])
        observed = observation.observe(
            system, *place, solved.states, solved.parameters, shard.time, revision_of(stored)
        )
        self._values = dict(observed.beside)
        # Noise of rows that were taken from another dataset cannot be drawn again.
        if "derived" not in json.loads(str(shard.attributes["config"])) or observation.noise is None:
            self._values["state"] = observed.state

    @property
    def tells_state(self) -> bool:
        """Can the states be told, noise and all?"""
        return "state" in self._values

    def of(self, index: int) -> dict[str, Expected]:
        """By name, what is expected of a row."""
        errors, known = self._solved.errors, np.isfinite(self._solved.states[index]).all(axis=1)
        with np.errstate(all="ignore"):
            off = self._promise.tolerance * errors.size[index]
            off[~known] = np.inf
            straight = self._sagitta(index)[self._columns]
            found = {}
            for name, values in self._values.items():
                if name == DERIVATIVE:
                    scale = np.maximum.accumulate(np.nan_to_num(np.abs(values[index])), axis=0)
                    allowed = self._slopes_off(index, known)[:, self._columns]
                else:
                    scale, allowed = errors.scale[index][:, self._columns], off[:, self._columns]
                    allowed = allowed + straight
                if name == "state":
                    allowed = allowed + self._spread_off(allowed)
                found[name] = Expected(values[index], allowed + self._rounded(values[index]), scale)
        return found

    def _rounded(self, values: np.ndarray) -> np.ndarray:
        """What storing numbers takes from them, and adding noise in double precision before."""
        kind = np.finfo(self._shard.state.dtype)
        last = kind.eps + LAST_PLACES * np.finfo(np.float64).eps
        return last * np.nan_to_num(np.abs(values)) + float(kind.smallest_subnormal)

    def _spread_off(self, allowed: np.ndarray) -> np.ndarray:
        """How far noise (D,) is off whose size is a share of a component's spread, or of its steps, along a row."""
        noise = self._observation.noise
        if noise is None or noise.absolute is not None:
            return np.zeros(allowed.shape[1])
        amount = noise.of_each(self._observation.names(self._system))
        if noise.step is not None:
            # Both ends of a step may be off.
            amount = 2 * amount
        return np.where(amount > 0, FARTHEST * amount * allowed.max(axis=0), 0.0)

    def _slopes_off(self, index: int, known: np.ndarray) -> np.ndarray:
        """How far dx/dt (T, S) is off where the states are."""
        samples = self._solved.errors.samples
        if samples is None:
            raise ValueError("no samples of the errors were kept")
        states, time = self._solved.states[index], self._shard.time
        parameters = self._solved.parameters[index : index + 1]
        slopes = self._system.slopes(states[None], parameters, time)
        scale = np.maximum(self._solved.errors.unit[index], np.finfo(np.float64).tiny)
        off, straight = np.zeros_like(states), CURVED * self._sagitta(index)

        def changed(error: np.ndarray) -> np.ndarray:
            """By so large an error (T, S), as by a small one."""
            size = np.nanmax(np.abs(error) / scale, axis=1, keepdims=True)
            nudge = np.where(np.isfinite(size) & (size > 0), NUDGE / size, 0.0)
            beside = states + nudge * np.nan_to_num(error, posinf=0.0)
            moved = self._system.slopes(beside[None], parameters, time)
            return np.abs(moved - slopes)[0] / np.where(nudge > 0, nudge, 1.0)

        for each in samples[:, index]:
            off = np.fmax(off, self._promise.tolerance * changed(each))
        # Straight lines are off in all components together, in directions that random ones may miss.
        for component in np.flatnonzero(straight):
            alone = np.zeros_like(states)
            alone[:, component] = straight[component]
            off += np.nan_to_num(changed(alone))
        off += ROUNDING * np.nan_to_num(np.abs(slopes[0]))
        hidden = ~(known & np.isfinite(samples[:, index]).all(axis=(0, 2)))
        off[hidden] = np.inf
        return off

    def _sagitta(self, index: int) -> np.ndarray:
        """How far a straight line between two steps of the solver is from each component of a row, (S,)."""
        states, time, step = self._solved.states[index], self._shard.time, self._stored.get("max_step")
        if self._shard.attributes["resampling"] != "linear" or len(states) < 2:
            return np.zeros(states.shape[1])
        step = float(step if isinstance(step, int | float) else time[-1])
        curvature = np.gradient(np.gradient(states, time, axis=0), time, axis=0)
        if not self._system.retarded:
            # Points of the grid may be farther apart than what curves a row.
            parameters, late = self._solved.parameters[index : index + 1], NUDGE * step
            slopes = self._system.slopes(states[None], parameters, time)
            after = self._system.slopes(states[None] + late * slopes, parameters, time + late)
            curvature = np.fmax(np.abs(curvature), np.abs(after - slopes)[0] / late)
        return step**2 / 4 * np.nanmax(np.abs(curvature), axis=0)
