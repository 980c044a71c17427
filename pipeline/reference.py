"""Rows of a shard integrated again, by the engine that did not make them, as far as its equations say where they go.

Chaos magnifies errors until two solutions have nothing to do with each other. From there on, rows are followed from
stored state to stored state, in pieces that are short enough.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from ..data.errors import FormatError
from ..data.format import CLEAN_STATE, Status
from ..data.grid import initial_time
from ..data.shard import Shard
from .engines import Engine, EngineSettings, Solution, make_engine
from .observation import Observation
from .systems import System

REFERENCE_TOLERANCE = 1e-12
# Between steps an explicit method errs more than its tolerance says, where a state rises steeply.
EXPLICIT_TOLERANCE = 1e-13
# Size of the perturbation that measures how the flow magnifies errors, relative to 1 and the largest state of a row.
PERTURBATION = 1e-8
# Errors are followed until such a perturbation is so large, relative to the same.
FOLLOWED = 1e-3
# A piece is at most this part of the time after which errors of the whole row were too large to follow.
PIECE = 1 / 4
# As long as errors can be followed a row is integrated in so many pieces, each as long as those before it together:
# so what chaos hides is not integrated far, and each piece may show for itself that it is stiff.
PIECES = 7
# After so many steps an explicit method is at a stiff row, which LSODA takes over.
EXPLICIT_STEPS = 2_000
# SciPy's methods cannot slide along a jump; for rows that do, Taylor series of this tolerance check themselves.
OTHER_TOLERANCE = 1e-13
# Of many components those that decay fast bound an explicit step, but the algebra of an implicit one costs more.
FIELD_STEPS = 20_000

_Solve = Callable[[np.ndarray, np.ndarray, np.ndarray], Solution]


@dataclass(frozen=True)
class Reference:
    """Rows (K, T, S) integrated again.

    engine      names of the methods
    perturbed   the same with slightly other initial states
    parameters  (K, P)
    status      (K,)
    restarts    by row, the places in time after which states follow from the stored state there
    """

    engine: str
    states: np.ndarray
    perturbed: np.ndarray
    parameters: np.ndarray
    status: np.ndarray
    restarts: dict[int, list[int]] = field(default_factory=dict)


def too_far(states: np.ndarray, perturbed: np.ndarray) -> np.ndarray:
    """Where (..., T) a perturbation of rows (..., T, D) has become too large to tell how errors grow."""
    size = np.fmax.reduce(np.abs(states), axis=(-2, -1))
    return ~(np.abs(perturbed - states).max(axis=-1) <= FOLLOWED * (1.0 + size[..., None]))


def integrate_again(
    system: System, observation: Observation, stored: dict[str, Any], shard: Shard, rows: np.ndarray
) -> Reference:
    """Rows of a shard that the engine that is described there made. Raises FormatError if a parameter lacks."""
    missing = [name for name in system.parameters if name not in shard.parameters]
    if missing:
        raise FormatError(f"no variable for the parameters {', '.join(missing)} of the stored equations")
    parameters = np.empty((len(rows), len(system.parameters)))
    for column, name in enumerate(system.parameters):
        parameters[:, column] = shard.parameters[name][rows]
    methods: list[str] = []
    solve = _solver(system, str(stored.get("name")), methods)
    known = _stored_states(system, observation, shard)
    starts, (times, before) = shard.initial_state[rows], _times_from_start(shard)
    # A delay equation goes on from a history, and not from a state.
    pieces = 1 if system.kind == "delay" else PIECES
    # A row that is stored as failed has no states to go on from.
    to_end = (shard.status[rows] != Status.OK) | (known is None)
    states, perturbed, status = _follow(solve, starts, parameters, times, pieces, to_end)
    states, perturbed = states[:, before:], perturbed[:, before:]
    sound = (status == Status.OK) & (shard.status[rows] == Status.OK)
    hidden = too_far(states, perturbed) & sound[:, None]
    chosen = np.flatnonzero(hidden.any(axis=1))
    begun: list[int] = []
    if known is not None and len(chosen):
        first = max(0, int(hidden[chosen].argmax(axis=1).min()) - 1)
        stored_states = known[rows[chosen]].astype(np.float64)
        begun, *again = _restart(solve, stored_states, parameters[chosen], shard.time, first)
        states[chosen, first + 1 :], perturbed[chosen, first + 1 :], status[chosen] = again
    restarts = {int(row): begun for row in chosen}
    return Reference(" and ".join(methods), states, perturbed, parameters, status, restarts)


def _solver(system: System, stored: str, methods: list[str]) -> _Solve:
    """A function of states, parameters and times, which adds the name of each method that it takes."""
    engine, other = _other_engine(system, stored)

    def solve(states: np.ndarray, parameters: np.ndarray, times: np.ndarray) -> Solution:
        solution = engine.solve(states, parameters, times)
        used = [engine]
        stiff = solution.status == Status.STEP_LIMIT
        if other is not None and stiff.any():
            again = other.solve(states[stiff], parameters[stiff], times)
            solution.states[stiff], solution.status[stiff] = again.states, again.status
            used.append(other)
        for name in (each.describe()["method"] for each in used):
            methods.extend([name] if name not in methods else [])
        return solution

    return solve


def _other_engine(system: System, stored: str) -> tuple[Engine, Engine | None]:
    """An engine, and one for the rows that are too stiff for it."""
    if stored == "scipy":
        settings = EngineSettings().resolve(system=system)
        if settings.name != "scipy":
            return make_engine(system, settings), None
    limit = EXPLICIT_STEPS if system.kind == System.kind else FIELD_STEPS
    explicit = EngineSettings(name="scipy", tolerance=EXPLICIT_TOLERANCE, max_steps=limit)
    if stored == "heyoka" and not system.smooth:
        return make_engine(system, explicit), make_engine(
            system, EngineSettings(name=stored, tolerance=OTHER_TOLERANCE)
        )
    stiff = EngineSettings(name="scipy", method="LSODA", tolerance=REFERENCE_TOLERANCE)
    return make_engine(system, explicit), make_engine(system, stiff)


def _times_from_start(shard: Shard) -> tuple[np.ndarray, int]:
    """The grid, with the time of the initial states before it where it begins later, and how many that adds."""
    grid = json.loads(str(shard.attributes["config"])).get("grid", {})
    start = initial_time(grid)
    if start < shard.time[0]:
        return np.concatenate([[start], shard.time]), 1
    return shard.time, 0


def _beside(starts: np.ndarray) -> np.ndarray:
    """States (K, S) a little beside these."""
    scale = 1.0 + np.abs(starts).max(axis=1, keepdims=True)
    # Of random signs: a shift of all components alike is a symmetry of some systems, and does not grow.
    signs = 2 * np.random.default_rng(0).integers(0, 2, starts.shape[1]) - 1
    return starts + PERTURBATION * scale * signs


def _both(
    solve: _Solve, starts: np.ndarray, beside: np.ndarray, parameters: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States (K, T, S) from the first states and from the second, and the status of the former."""
    solution = solve(np.concatenate([starts, beside]), np.concatenate([parameters, parameters]), times)
    count = len(starts)
    return solution.states[:count], solution.states[count:], solution.status[:count]


def _follow(
    solve: _Solve,
    starts: np.ndarray,
    parameters: np.ndarray,
    times: np.ndarray,
    pieces: int,
    to_end: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States from the starts and from a little beside them, and status, in pieces that double.

    Rows that chaos hides are left at NaN after the piece in which it does, but those (K,) that are wanted to the end.
    """
    count, size = starts.shape
    states, perturbed = np.full((2, count, len(times), size), np.nan)
    states[:, 0], perturbed[:, 0] = starts, _beside(starts)
    status = np.full(count, Status.OK)
    ends = sorted({max(1, (len(times) - 1) >> shift) for shift in range(pieces)})
    left = np.arange(count)
    for begin, end in pairwise([0, *ends]):
        if not len(left):
            break
        found = _both(
            solve, states[left, begin], perturbed[left, begin], parameters[left], times[begin : end + 1]
        )
        states[left, begin : end + 1], perturbed[left, begin : end + 1], status[left] = found
        left = left[status[left] == Status.OK]
        reached = slice(0, end + 1)
        lost = too_far(states[left, reached], perturbed[left, reached]).any(axis=1)
        left = left[to_end[left] | ~lost]
    states[status != Status.OK] = np.nan
    return states, perturbed, status


def _restart(
    solve: _Solve, known: np.ndarray, parameters: np.ndarray, times: np.ndarray, first: int
) -> tuple[list[int], np.ndarray, np.ndarray, np.ndarray]:
    """Rows after a time, in pieces that begin at known states (K, T, S): where, the states, those beside, status."""
    last, length = len(times) - 1, max(1, int(first * PIECE))
    begun, place = [], first
    parts, status = [], np.full(len(known), Status.OK)
    while place < last:
        end = min(place + length, last)
        starts = known[:, place]
        states, perturbed, failed = _both(solve, starts, _beside(starts), parameters, times[place : end + 1])
        if length > 1 and too_far(states, perturbed)[failed == Status.OK].any():
            length //= 2
            continue
        begun.append(place)
        parts.append((states[:, 1:], perturbed[:, 1:]))
        status = np.where(status == Status.OK, failed, status)
        place = end
    states, perturbed = (np.concatenate(some, axis=1) for some in zip(*parts, strict=True))
    return begun, states, perturbed, status


def _stored_states(system: System, observation: Observation, shard: Shard) -> np.ndarray | None:
    """Stored states (N, T, S) from which rows can be integrated; None if these are partial, noisy or approximate."""
    partial = len(observation.names(system)) < len(system.states)
    if system.kind == "delay" or partial or shard.attributes["resampling"] == "linear":
        return None
    if observation.noise is None:
        return shard.state
    return np.asarray(shard.variables[CLEAN_STATE]) if observation.clean else None
