"""The splits of a dataset as a task takes them; with slopes by the equations where none are stored."""

from pathlib import Path
from typing import Any

import numpy as np

from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.split import Store
from ...data.batches.windows import Windows
from ...data.shard.schema import CLEAN_STATE, DERIVATIVE
from ...data.tasks.task import Task
from ..dynamics.systems import System, system_of
from .files import RunError


def open_split(data: Path, split: str, task: Task, **options: Any) -> TrajectoryDataset:
    """A split for a task; `options` are those of TrajectoryDataset.

    Raises RunError where a task needs slopes and there are none, or the state alone does not decide them.
    """
    if DERIVATIVE not in task.variables:
        return TrajectoryDataset(data, split, task, **options)
    store = Store(data, split)
    system = system_of(store.config)
    _check_field(store, system, task)
    if system is None or DERIVATIVE in store.variables:
        return TrajectoryDataset(data, split, task, **options)
    return TrajectoryDataset(data, split, task, computed={DERIVATIVE: Slopes(store, system)}, **options)


def _check_field(store: Store, system: System | None, task: Task) -> None:
    """Raise RunError if slopes are not to be had, or are no function of the state."""
    stored = DERIVATIVE in store.variables
    if system is None:
        if not stored:
            raise RunError(
                f"{store.path}: task {task} needs dx/dt, none is stored of these measured trajectories, and nobody "
                "knows their equations; import it, too, with --derivatives, or take another task"
            )
        return
    if not system.ordinary:
        raise RunError(
            f"{store.path}: task {task} takes dx/dt for a function of the state alone, which it is not in system "
            f"{system.name}: its equations look back, or are of a field; take another task"
        )
    if not system.autonomous:
        raise RunError(
            f"{store.path}: task {task} takes dx/dt for a function of the state alone, and the equations of system "
            f"{system.name} depend on t; take another task, or make the phase a state"
        )
    if stored:
        return
    mend = "generate the dataset with observation.derivative = true"
    if hidden := [name for name in system.states if name not in store.components]:
        raise RunError(
            f"{store.path}: task {task} needs dx/dt, none is stored, and {hidden[0]!r}, on which it depends, is not "
            f"stored either; {mend}"
        )
    if store.config.get("observation", {}).get("noise") is not None and CLEAN_STATE not in store.variables:
        raise RunError(
            f"{store.path}: task {task} needs dx/dt at states without noise, and neither is stored; {mend}, or with "
            "observation.clean = true"
        )


class Slopes:
    """dx/dt by the equations, at the stored states without noise.

    Args:
        store: Of a split, with all states of the system.
        system: Whose equations do not mention time.
    """

    def __init__(self, store: Store, system: System) -> None:
        self._store, self._system = store, system
        self._variable = CLEAN_STATE if CLEAN_STATE in store.variables else "state"
        self._columns = [system.states.index(name) for name in store.components]
        self._parameters: np.ndarray | None = None

    def __call__(self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows) -> np.ndarray:
        """Of windows of rows, as `Store.gather` takes them: (n, length, D) float64."""
        if self._parameters is None:
            columns = [self._store.column(name) for name in self._system.parameters]
            self._parameters = np.stack(columns, axis=1) if columns else np.empty((len(self._store), 0))
        seen = self._store.gather(rows, starts, windows, self._variable)
        states = np.empty(seen.shape)
        states[..., self._columns] = seen
        times = np.zeros(seen.shape[1])
        return self._system.slopes(states, self._parameters[rows], times)[..., self._columns]
