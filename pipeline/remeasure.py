"""Do the stored diagnostics follow from the equations? Measured again, along rows that were integrated again."""

import json
from typing import Any

import numpy as np
import sympy

from ..data.format import ENERGY_DRIFT, LYAPUNOV_EXPONENT, Status
from ..data.grid import initial_time
from ..data.shard import Shard
from .diagnostics import energy_drift, lyapunov_exponents
from .engines import EngineSettings
from .engines.engine import revision_of
from .reference import FOLLOWED, PERTURBATION, Reference
from .systems import System

# Of the terms of an energy, added up, in units in the last place.
ROUNDING = 64 * np.finfo(np.float64).eps


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
    shard: Shard, rows: np.ndarray, system: System, solved: Reference, errors: np.ndarray
) -> list[tuple[int, str]]:
    """(row, what is wrong) for each sound row whose stored drift is not that of its energy.

    errors  (K,) that a state may gather while it travels as far as it is large, in parts of its size

    Energies may be off by what such errors make of them, magnified like the perturbation. Where times were cut off,
    the stored drift, of all times, is no smaller than that of those left.
    """
    if ENERGY_DRIFT not in shard.optional or system.energy is None:
        return []
    if shard.attributes["resampling"] != "dense":
        # The energy of a straight line between its steps is known to the solver alone.
        return []
    energy, terms = (system.function(each, "numpy") for each in (system.energy, _terms(system.energy)))
    states, columns = solved.states, [column[:, None] for column in solved.parameters.T]

    def along(function: Any, states: np.ndarray, times: np.ndarray) -> np.ndarray:
        values = function(times[None], list(np.moveaxis(states, 2, 0)), columns)
        return np.broadcast_to(np.asarray(values, dtype=np.float64), states.shape[:2])

    times, start = shard.time, initial_time(_grid(shard))
    size = 1.0 + np.abs(states).max(axis=(1, 2))[:, None]
    with np.errstate(all="ignore"):
        value = along(energy, states, times)
        first = along(energy, shard.initial_state[rows][:, None], np.array([start]))
        # How much of an energy a state's size is worth.
        steep = np.zeros_like(value)
        for component in range(states.shape[2]):
            beside = states.copy()
            beside[..., component] += PERTURBATION * size
            steep += np.abs(along(energy, beside, times) - value) / PERTURBATION
        speed = np.abs(system.slopes(states, solved.parameters, times)).max(axis=2) / size
        steps, mean = np.diff(times, prepend=start), speed.copy()
        mean[:, 1:] = (speed[:, 1:] + speed[:, :-1]) / 2
        travelled = 1.0 + np.cumsum(steps * mean, axis=1)
        apart = np.abs(along(energy, solved.perturbed, times) - value)
        # A neighbour whose energy is as far off as that says nothing more of this row.
        magnified = np.where(apart <= FOLLOWED * steep, apart / PERTURBATION, np.inf)
        off = errors[:, None] * (steep * travelled + np.maximum.accumulate(magnified, axis=1))
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


def _grid(shard: Shard) -> dict[str, Any]:
    return json.loads(str(shard.attributes["config"])).get("grid", {})


def _was_cut(shard: Shard) -> bool:
    """Are the times some of those that were integrated?"""
    return "times_sha256" in _grid(shard)


def _terms(energy: sympy.Expr) -> sympy.Expr:
    """The terms of an energy without their signs, added up: what it is rounded by goes with them."""
    if isinstance(energy, sympy.Add | sympy.Mul):
        return energy.func(*map(_terms, energy.args))
    return sympy.Abs(energy)
