"""What a worker does of a dataset: the rows of one shard, from their initial states to the file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...data.base.errors import TrajstoreError
from ...data.shard.schema import ENERGY_DRIFT, LYAPUNOV_EXPONENT, Status
from ...data.shard.shard import Shard, ShardRecord, write_shard
from ..config.experiment import Experiment
from ..dynamics.diagnostics import energy_drift, lyapunov_exponents
from ..dynamics.engines import Engine, Solution
from ..dynamics.engines.base.engine import blank_failed
from .plan import ShardPlan
from .revisions import check_same


def make_shard(
    config: Experiment,
    folder: Path,
    attributes: dict[str, str | int],
    engine: Engine,
    plan: ShardPlan,
    report: Callable[[int], None],
) -> ShardRecord | None:
    """The work of one worker: integrate the rows of a shard and write its file, or compare them with it."""
    shard = _make_rows(config, attributes, engine, plan, report)
    path = folder / plan.file
    if plan.again:
        check_same(path, shard)
        return None
    compression = None if config.dataset.compression == "none" else config.dataset.compression
    return write_shard(path, shard, compression)


def _make_rows(
    config: Experiment,
    attributes: dict[str, str | int],
    engine: Engine,
    plan: ShardPlan,
    report: Callable[[int], None],
) -> Shard:
    system, rows = config.dynamics, np.arange(plan.first_row, plan.first_row + plan.rows)
    starts = config.initial_state_rows(plan.split, plan.first_row, plan.first_row + plan.rows)
    parameters = config.parameter_rows(plan.split, plan.first_row, plan.first_row + plan.rows)
    transient = config.initial_states_of(plan.split).transient_of(system)
    times, begin = config.times_of(plan.split), config.initial_time_of(plan.split)
    if begin < times[0]:
        times = np.concatenate([[begin], times])
    elif transient is not None:
        # It ends at time 0, for equations may mention the time.
        starts = engine.solve(starts, parameters, np.array([-transient, 0.0])).states[:, 1]
    solution = engine.solve(starts, parameters, times, report)
    variables, status = _stored(config, plan.split, rows, parameters, solution)
    # Beside what is stored of it, it would double the memory.
    del solution
    components = config.observation.names(system)
    shard = Shard(
        state=variables.pop("state"),
        time=config.times_of(plan.split),
        components=components,
        system_states=system.states if len(components) < len(system.states) else (),
        trajectory=rows,
        initial_state=starts,
        optional=variables,
        parameters={
            name: np.ascontiguousarray(parameters[:, column]) for column, name in enumerate(system.parameters)
        },
        status=status,
        attributes={**attributes, "split": plan.split, "first_row": plan.first_row},
        units={
            "time": system.time_unit,
            **{name: parameter.unit for name, parameter in system.parameters.items()},
        },
    )
    report(plan.rows)
    return shard


def _stored(
    config: Experiment, split: str, rows: np.ndarray, parameters: np.ndarray, solution: Solution
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What is stored of rows (N,) of a split, by name: `state`, what is kept beside it, diagnostics; and status (N,).

    What is beyond the stored type's range has diverged, too, and a row of which a diagnostic cannot be measured has
    failed. A solution may begin before the grid.
    """
    system, seed, times = config.dynamics, config.dataset.seed, config.times_of(split)
    states = solution.states[:, -len(times) :]
    observed = config.observation.observe(system, seed, split, rows, states, parameters, times)
    status, variables = solution.status, {"state": observed.state, **observed.beside}
    with np.errstate(over="ignore", under="ignore"):
        for name, values in variables.items():
            _check_digits(config, name, values, status)
            kept = blank_failed(values.astype(config.dataset.dtype, copy=False), status)
            variables[name], status = kept.states, kept.status
    diagnostics = config.dataset.diagnostics or ()
    if ENERGY_DRIFT in diagnostics:
        variables[ENERGY_DRIFT] = energy_drift(system, states, parameters, times)
    if LYAPUNOV_EXPONENT in diagnostics:
        variables[LYAPUNOV_EXPONENT] = lyapunov_exponents(
            system, config.engine, states, parameters, times, seed, split, rows
        )
    for name in diagnostics:
        status = np.where((status == Status.OK) & np.isnan(variables[name]), Status.SOLVER_FAILED, status)
    failed = status != Status.OK
    for values in variables.values():
        values[failed] = np.nan
    return variables, status.astype(np.int8)


def _check_digits(config: Experiment, name: str, values: np.ndarray, status: np.ndarray) -> None:
    """Refuse values (N, T, D) of which a component is too small, in all sound rows, to keep its digits when stored.

    What is so small for a while, or in some rows, is nothing beside the rest.
    """
    sound, kind = status == Status.OK, np.finfo(config.dataset.dtype)
    if not sound.any():
        return
    for component, component_name in enumerate(config.observation.names(config.dynamics)):
        # Of almost all components the first row tells that they are large enough.
        if np.abs(values[sound.argmax(), :, component]).max() >= kind.tiny:
            continue
        largest = np.abs(values[sound, :, component]).max()
        if 0 < largest < kind.tiny:
            wider = ', or ask for dtype = "float64"' if kind.bits < 64 else ""
            raise TrajstoreError(
                f"{name} of {component_name} is {largest:.1e} at most, and {kind.dtype} keeps all digits of numbers "
                f"above {kind.tiny:.1e} alone: measure {component_name} in a smaller unit{wider}"
            )
