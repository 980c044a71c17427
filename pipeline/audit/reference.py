"""Rows of a shard integrated again, by the engine that did not make them, as far as its equations say where they go.

Chaos magnifies errors until two solutions have nothing to do with each other. Rows are followed from stored state to
stored state, in pieces that are short enough for small errors to be seen.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...data.shard.schema import CLEAN_STATE, Status
from ...data.shard.shard import Shard
from ..config.observation import Observation
from ..dynamics.systems import System
from .given import parameters_of, times_from_start
from .growth import Errors, Promise, errors_along
from .other_solver import OtherSolver

# As long as errors can be followed a row is integrated in so many pieces, each as long as those before it together:
# so each piece may show for itself that it is stiff.
PIECES = 7
# Of a component that begins at 0: an absolute tolerance that is above 0, as a part of that by its scale at the end.
LEAST = 1e-6


@dataclass(frozen=True)
class Reference:
    """Rows (K, T, S) integrated again.

    methods     their names
    states      NaN where nothing can be said
    parameters  (K, P)
    status      (K,)
    errors      how far solvers' errors may have carried them
    """

    methods: tuple[str, ...]
    states: np.ndarray
    parameters: np.ndarray
    status: np.ndarray
    errors: Errors


def integrate_again(
    system: System,
    observation: Observation,
    stored: dict[str, Any],
    shard: Shard,
    rows: np.ndarray,
    promise: Promise,
    *,
    samples: bool = False,
) -> Reference:
    """Rows of a shard that the engine that is described there made. Raises FormatError if a parameter lacks.

    promise  what both engines may err
    samples  keep those of the errors
    """
    parameters = parameters_of(shard, rows, system)
    solver = OtherSolver(system, str(stored.get("name")), len(rows))
    starts, (times, before) = shard.initial_state[rows], times_from_start(shard)
    known = _stored_states(system, observation, shard)
    if known is not None:
        known = known[rows].astype(np.float64)
        known = np.concatenate([np.full((len(rows), before, known.shape[2]), np.nan), known], axis=1)
    errors = errors_along(system, starts, parameters, times, known, promise, samples=samples)
    failed = shard.status[rows] != Status.OK
    # A delay equation goes on from a history, and not from a state.
    halves = 1 if system.retarded else PIECES
    pieces = _pieces(errors, failed, len(times), halves)
    states, status = _follow(solver, starts, parameters, times, known, errors, promise, pieces)
    return Reference(tuple(solver.methods), states[:, before:], parameters, status, _from(errors, before))


def _from(errors: Errors, first: int) -> Errors:
    """From a point on."""
    samples = None if errors.samples is None else errors.samples[:, :, first:]
    restarts = [[point - first for point in points] for points in errors.restarts]
    size, scale, unit = (values[:, first:] for values in (errors.size, errors.scale, errors.unit))
    return Errors(size, scale, unit, samples, restarts)


def _follow(
    solver: OtherSolver,
    starts: np.ndarray,
    parameters: np.ndarray,
    times: np.ndarray,
    known: np.ndarray | None,
    errors: Errors,
    promise: Promise,
    pieces: dict[tuple[int, int], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """States (K, T, S) and status (K,) of rows, in pieces that begin at the start and at known states."""
    states = np.full((*errors.size.shape[:2], starts.shape[1]), np.nan)
    states[:, 0] = starts
    status = np.full(len(starts), Status.OK, dtype=np.int8)
    for begin, end in sorted(pieces):
        rows = pieces[begin, end]
        rows = rows[status[rows] == Status.OK]
        anew = np.array([begin in errors.restarts[row] for row in rows], dtype=bool)
        begins = states[rows, begin]
        if known is not None:
            begins = np.where(anew[:, None], known[rows, begin], begins)
        # What is hidden is not known where a piece goes on.
        told = np.isfinite(begins).all(axis=1) | (begin == 0)
        rows, begins = rows[told], begins[told]
        if not len(rows):
            continue
        scale = errors.scale[rows]
        scales = np.fmax(scale[:, begin], LEAST * np.nan_to_num(scale[:, end], posinf=0.0))
        noise = promise.tolerance * np.nan_to_num(errors.unit[rows, end] - scale[:, end])
        found = solver.solve(rows, begins, parameters[rows], times[begin : end + 1], scales, noise)
        # The state at the begin is that of the piece before, which the stored one is held to.
        states[rows, begin + 1 : end + 1], status[rows] = found.states[:, 1:], found.status
    states[status != Status.OK] = np.nan
    return states, status


def _pieces(
    errors: Errors, failed: np.ndarray, points: int, halves: int
) -> dict[tuple[int, int], np.ndarray]:
    """First and last point of each piece, with the rows that have it.

    A row that is stored as failed has no states to go on from, and is followed to the end; others are not where their
    errors are hidden. The first piece of a row is cut in so many parts, each as long as those before it together.
    """
    pieces: dict[tuple[int, int], list[int]] = {}
    for row, fails in enumerate(failed):
        seen = np.isfinite(errors.size[row]).all(axis=1)
        begins = [0] if fails else [0, *errors.restarts[row]]
        for begin, end in pairwise([*begins, points - 1]):
            last = end
            if not fails and not seen[begin + 1 : end + 1].all():
                last = begin + int(np.argmin(seen[begin + 1 : end + 1]))
            # Later pieces are short, and a row that was stiff may be so no more.
            shifts = range(halves if begin == 0 else 1)
            parts = sorted({begin + max(1, (last - begin) >> shift) for shift in shifts})
            for part in pairwise([begin, *parts] if last > begin else []):
                pieces.setdefault(part, []).append(row)
    return {part: np.array(rows) for part, rows in pieces.items()}


def _stored_states(system: System, observation: Observation, shard: Shard) -> np.ndarray | None:
    """Stored states (N, T, S) from which rows can be integrated; None if these are partial, noisy or approximate."""
    partial = len(observation.names(system)) < len(system.states)
    if system.retarded or partial or shard.attributes["resampling"] == "linear":
        return None
    if observation.noise is None:
        return shard.state
    return np.asarray(shard.variables[CLEAN_STATE]) if observation.clean else None
