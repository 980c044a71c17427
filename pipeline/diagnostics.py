"""What is measured of each row beside its states: the drift of its energy, its largest Lyapunov exponent."""

from collections.abc import Collection
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from ..data.errors import TrajstoreError
from ..data.format import DIAGNOSTICS, ENERGY_DRIFT, LYAPUNOV_EXPONENT, Status
from .engines import EngineSettings, make_engine
from .lyapunov import most_exponents, variational
from .sampling import TANGENTS, standard_normal, uniform_of
from .systems import System

Diagnostic = Literal["energy_drift", "lyapunov_exponent"]
assert get_args(Diagnostic) == DIAGNOSTICS
# Along a row the tangent vector is made a unit vector again so many times, or at each of fewer grid points.
SEGMENTS = 1_000


def check_diagnostics(names: Collection[Diagnostic], system: System) -> None:
    """Raises TrajstoreError if one of them cannot be measured of the system."""
    if ENERGY_DRIFT in names and system.energy is None:
        raise TrajstoreError(
            f'dataset.diagnostics: "{ENERGY_DRIFT}" needs an energy, and {system.name} has none; give '
            "[system] hamiltonian, or leave it out"
        )
    if LYAPUNOV_EXPONENT in names and (
        system.kind != System.kind or not system.continuous or most_exponents(system) < 1
    ):
        raise TrajstoreError(
            f'dataset.diagnostics: "{LYAPUNOV_EXPONENT}" needs ordinary differential equations without jumps, and '
            f"room for a tangent vector beside them: {system.name} has not; leave it out"
        )


def energy_drift(system: System, states: np.ndarray, parameters: np.ndarray, times: np.ndarray) -> np.ndarray:
    """max_t |H(t) - H(0)| / |H(0)| of each row, (N,) float64; NaN of rows that failed.

    states      (N, T, D) float64
    parameters  (N, P)

    Infinite where H(0) is 0 and H is not later.
    """
    energy = np.broadcast_to(system.along(system.energy, states, parameters, times), states.shape[:2])
    change, start = np.abs(energy - energy[:, :1]).max(axis=1), np.abs(energy[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(change == 0, 0.0, change / start)


def lyapunov_exponents(
    system: System,
    settings: EngineSettings,
    states: np.ndarray,
    parameters: np.ndarray,
    times: np.ndarray,
    seed: int,
    split: str,
    rows: np.ndarray,
) -> np.ndarray:
    """The largest Lyapunov exponent over the time of each row, (N,) float64, a unit of time; NaN of failed rows.

    states  (N, T, D) float64, along which a tangent vector v' = J(x) v is carried from a random direction, a function
            of (seed, split, row); the exponent is the mean rate at which its length grows (Benettin et al. 1980,
            doi:10.1007/BF02128236). Over a short time it depends on that direction, too.
    rows    (N,) their numbers within the split
    """
    size = states.shape[2]
    engine = make_engine(variational(system, 1), settings, rows=len(states))
    tangents = standard_normal(uniform_of(seed, split, TANGENTS, rows, size))
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    sound = np.isfinite(states).all(axis=(1, 2))
    growth = np.where(sound, 0.0, np.nan)
    ends = np.unique(np.linspace(0, len(times) - 1, min(len(times), SEGMENTS + 1)).astype(np.int64))
    for first, last in pairwise(ends.tolist()):
        chosen = np.flatnonzero(np.isfinite(growth))
        packed = np.concatenate([states[chosen, first], tangents[chosen]], axis=1)
        solution = engine.solve(packed, parameters[chosen], times[[first, last]])
        grown = solution.states[:, -1, size:]
        length = np.linalg.norm(grown, axis=1)
        with np.errstate(all="ignore"):
            growth[chosen] += np.where(solution.status == Status.OK, np.log(length), np.nan)
            tangents[chosen] = grown / length[:, None]
    return growth / (times[-1] - times[0])
