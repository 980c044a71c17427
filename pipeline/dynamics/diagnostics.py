"""What is measured of each row beside its states: the drift of its energy, its largest Lyapunov exponent."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ...data.base.errors import TrajstoreError
from ...data.shard.schema import ENERGY_DRIFT, LYAPUNOV_EXPONENT, Diagnostic, Status
from .engines import Engine, EngineSettings, make_engine
from .engines.base.engine import REVISION
from .engines.base.scales import apart
from .lyapunov import most_exponents, variational
from .random_rows import TANGENTS, standard_normal, uniform_of
from .systems import System

# Along a row the tangent vector is made a unit vector again so many times, or at each of fewer grid points.
SEGMENTS = 1_000
# Where it grows or shrinks by more than the first factor, a segment is halved, for an engine errs in parts of the
# largest number; down to so small a part of the time, in which the second factor is allowed.
MOST_GROWTH, UTMOST_GROWTH = 1e3, 1e9
SHORTEST = 1 / 256_000


def check_diagnostics(names: Sequence[Diagnostic], system: System) -> None:
    """Raises TrajstoreError if one of them cannot be measured of the system, or is named twice."""
    if len(set(names)) < len(names):
        raise TrajstoreError(f"dataset.diagnostics: got {', '.join(names)}; expected each once")
    if ENERGY_DRIFT in names and system.energy is None:
        raise TrajstoreError(
            f'dataset.diagnostics: "{ENERGY_DRIFT}" needs an energy, and {system.name} has none; give '
            "[system] hamiltonian, or leave it out"
        )
    if ENERGY_DRIFT in names and system.energy is not None and system.energy.has(system.time_symbol):
        raise TrajstoreError(
            f'dataset.diagnostics: "{ENERGY_DRIFT}" needs an energy that does not depend on time: that of '
            f"{system.name}, {system.hamiltonian!r:.200}, changes by itself; leave it out"
        )
    if LYAPUNOV_EXPONENT in names and (
        not system.ordinary or not system.continuous or most_exponents(system) < 1
    ):
        raise TrajstoreError(
            f'dataset.diagnostics: "{LYAPUNOV_EXPONENT}" needs ordinary differential equations without jumps, and '
            f"room for a tangent vector beside them: {system.name} has not; leave it out"
        )


def energy_drift(system: System, states: np.ndarray, parameters: np.ndarray, times: np.ndarray) -> np.ndarray:
    """max_t |H(t) - H(0)| / |H(0)| of each row, (N,) float64; NaN of rows that failed, or where H is no number.

    states      (N, T, D) float64
    parameters  (N, P)

    Infinite where H(0) is 0 and H is not later.
    """
    with np.errstate(all="ignore"):
        energy = np.broadcast_to(system.along(system.energy, states, parameters, times), states.shape[:2])
        change, start = np.abs(energy - energy[:, :1]).max(axis=1), np.abs(energy[:, 0])
        drift = np.where(change == 0, 0.0, change / start)
    # A constant has no NaN where the states have.
    return np.where(np.isfinite(states).all(axis=(1, 2)), drift, np.nan)


def lyapunov_exponents(
    system: System,
    settings: EngineSettings,
    states: np.ndarray,
    parameters: np.ndarray,
    times: np.ndarray,
    seed: int,
    split: str,
    rows: np.ndarray,
    revision: int = REVISION,
) -> np.ndarray:
    """The largest Lyapunov exponent over the time of each row, (N,) float64, a unit of time.

    NaN of rows that failed, and of those along which no tangent vector can be carried: where the Jacobian is not
    finite, or the vector grows or shrinks too fast for 256 000 steps.

    states  (N, T, D) float64, along which a tangent vector v' = J(x) v is carried from a random direction, a function
            of (seed, split, row); the exponent is the mean rate at which its length grows (Benettin et al. 1980,
            doi:10.1007/BF02128236). Over a short time it depends on that direction, too.
    rows    (N,) their numbers within the split
    revision  of the engine that made them
    """
    # A tangent vector has one scale for all its components, but for those of states that have not.
    by_component = apart(np.abs(states).max(axis=1))
    if by_component.any() and not by_component.all():
        found = np.empty(len(states))
        for some in (by_component, ~by_component):
            found[some] = lyapunov_exponents(
                system, settings, states[some], parameters[some], times, seed, split, rows[some], revision
            )
        return found
    size = states.shape[2]
    engine = make_engine(
        variational(system, 1), settings, rows=len(states), by_component=bool(by_component.any())
    )
    tangents = standard_normal(uniform_of(seed, split, TANGENTS, rows, size, revision))
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    sound = np.isfinite(states).all(axis=(1, 2))
    growth = np.where(sound, 0.0, np.nan)
    ends = np.unique(np.linspace(0, len(times) - 1, min(len(times), SEGMENTS + 1)).astype(np.int64))
    shortest = (times[-1] - times[0]) * SHORTEST
    for first, last in pairwise(ends):
        chosen = np.flatnonzero(np.isfinite(growth))
        if not len(chosen):
            break
        packed = np.concatenate([states[chosen, first], tangents[chosen]], axis=1)
        grown, carried = _carry(
            engine, packed, parameters[chosen], float(times[first]), float(times[last]), shortest
        )
        growth[chosen] += grown
        tangents[chosen] = carried[:, size:]
    return growth / (times[-1] - times[0])


def _carry(
    engine: Engine, packed: np.ndarray, parameters: np.ndarray, begin: float, end: float, shortest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms (n,) of how tangent vectors of length 1 grow, NaN if that cannot be told; states and unit vectors.

    packed  (n, 2 D) the states at `begin`, and the vectors behind them; so are those at `end`
    """
    size = packed.shape[1] // 2
    solution = engine.solve(packed, parameters, np.array([begin, end]))
    carried = solution.states[:, -1].copy()
    with np.errstate(all="ignore"):
        length = np.linalg.norm(carried[:, size:], axis=1)
        carried[:, size:] /= length[:, None]
        growth = np.log(length)
    middle = (begin + end) / 2
    last = end - begin < 2 * shortest or not begin < middle < end
    most = np.log(UTMOST_GROWTH if last else MOST_GROWTH)
    told = (solution.status == Status.OK) & (np.abs(growth) <= most)
    growth[~told] = np.nan
    if last or told.all():
        return growth, carried
    left = np.flatnonzero(~told)
    first, half = _carry(engine, packed[left], parameters[left], begin, middle, shortest)
    left, first, half = (each[np.isfinite(first)] for each in (left, first, half))
    if len(left):
        second, carried[left] = _carry(engine, half, parameters[left], middle, end, shortest)
        growth[left] = first + second
    return growth, carried
