"""Do the stored diagnostics follow from the equations? Measured again, along rows that were integrated again."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from ...data.folder.stated_grid import initial_time
from ...data.shard.schema import ENERGY_DRIFT, LYAPUNOV_EXPONENT, Status
from ...data.shard.shard import Shard
from ..dynamics.diagnostics import energy_drift, lyapunov_exponents
from ..dynamics.engines import EngineSettings
from ..dynamics.engines.base.engine import revision_of
from ..dynamics.engines.base.rounding import ROUNDING, terms_of
from ..dynamics.systems import System
from .given import stated_grid
from .growth import NUDGE, Promise
from .reference import Reference


def status_with_diagnostics(shard: Shard, rows: np.ndarray, system: System, solved: Reference) -> np.ndarray:
    """The status (K,) of rows that were integrated again, with what else makes a row fail.

    A row fails, too, of which a diagnostic cannot be measured. Where times were cut off, one that is stored as failed
    may have failed at these.
    """
    status = solved.status.copy()
    if ENERGY_DRIFT in shard.optional:
        undefined = np.isnan(energy_drift(system, solved.states, solved.parameters, shard.time))
        status[undefined & (status == Status.OK)] = Status.SOLVER_FAILED
    doubtful = np.flatnonzero((status == Status.OK) & (shard.status[rows] != Status.OK))
    if _was_cut(shard):
        status[doubtful] = Status.SOLVER_FAILED
    elif LYAPUNOV_EXPONENT in shard.optional and len(doubtful):
        exponents = lyapunov_exponents(
            system,
            EngineSettings(),
            solved.states[doubtful],
            solved.parameters[doubtful],
            shard.time,
            int(shard.attributes["seed"]),
            str(shard.attributes["split"]),
            shard.trajectory[rows[doubtful]],
            revision_of(json.loads(str(shard.attributes["engine"]))),
        )
        status[doubtful[np.isnan(exponents)]] = Status.SOLVER_FAILED
    return status


def drift_problems(
    shard: Shard, rows: np.ndarray, system: System, solved: Reference, promise: Promise
) -> list[tuple[int, str]]:
    """(row, what is wrong) for each sound row whose stored drift is not that of its energy.

    promise  what solvers may err; energies may be off by what such errors make of them

    Where times were cut off, the stored drift, of all times, is no smaller than that of those left.
    """
    if ENERGY_DRIFT not in shard.optional or system.energy is None:
        return []
    if shard.attributes["resampling"] != "dense":
        # The energy of a straight line between its steps is known to the solver alone.
        return []
    energy, terms = (system.function(each, "numpy") for each in (system.energy, terms_of(system.energy)))
    states, columns = solved.states, [column[:, None] for column in solved.parameters.T]

    def along(function: Any, states: np.ndarray, times: np.ndarray) -> np.ndarray:
        values = function(times[None], list(np.moveaxis(states, 2, 0)), columns)
        return np.broadcast_to(np.asarray(values, dtype=np.float64), states.shape[:2])

    times, start = shard.time, initial_time(stated_grid(shard))
    with np.errstate(all="ignore"):
        value = along(energy, states, times)
        first = along(energy, shard.initial_state[rows][:, None], np.array([start]))
        off = promise.tolerance * _energy_off(lambda states: along(energy, states, times), value, solved)
        rounding = ROUNDING * along(terms, states, times).max(axis=1)
        scale = np.abs(first[:, 0])
        expected, allowed = np.abs(value - first).max(axis=1) / scale, (off.max(axis=1) + rounding) / scale
    known = (scale > rounding) & np.isfinite(expected) & np.isfinite(allowed)
    cut, problems = _was_cut(shard), []
    for index in np.flatnonzero(known & (shard.status[rows] == Status.OK)):
        found = shard.optional[ENERGY_DRIFT][rows[index]]
        low, high = expected[index] - allowed[index], np.inf if cut else expected[index] + allowed[index]
        if not low <= found <= high:
            least = "at least " if cut else ""
            problems.append(
                (
                    int(rows[index]),
                    f"{ENERGY_DRIFT} is {found:.3g}, measured again {least}{expected[index]:.3g}, allowed are "
                    f"{allowed[index]:.1e}: it does not follow from the equations",
                )
            )
    return problems


def _energy_off(
    energy: Callable[[np.ndarray], np.ndarray], value: np.ndarray, solved: Reference
) -> np.ndarray:
    """How far energies (K, T) are off by the errors of the states, as a multiple of the tolerance."""
    errors, off = solved.errors, np.zeros_like(value)
    if errors.samples is None:
        raise ValueError("no samples of the errors were kept")
    scale = np.maximum(errors.unit, np.finfo(np.float64).tiny)
    for each in errors.samples:
        size = (np.abs(each) / scale).max(axis=2)
        nudge = np.where(np.isfinite(size) & (size > 0), NUDGE / size, np.nan)
        moved = energy(solved.states + nudge[..., None] * each)
        off = np.maximum(off, np.where(size > 0, np.abs(moved - value) / nudge, 0.0))
    return np.where(np.isnan(off), np.inf, off)


def _was_cut(shard: Shard) -> bool:
    """Are the times some of those that were integrated?"""
    return "times_sha256" in stated_grid(shard)
