"""The engine of delay equations: the method of steps by Gauss collocation, in adaptive steps, many rows at once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .....data.shard.schema import Status
from ...systems import System
from ...systems.delay import DelaySystem
from ..base.budget import Budget
from ..base.engine import REVISION, EngineError, SeldomReport, Solution, blank_failed
from .march import March
from .problem import Problem
from .rough_march import RoughMarch

METHOD = "Gauss"
DEFAULT_TOLERANCE = 1e-13
# Rows at once, few enough for the second cache.
ROWS = 128


class CollocationEngine(Problem):
    """Delay equations with constant delays and a constant history; each row has its own delays and its own steps.

    system     of kind "delay"
    tolerance  error a step, relative to each component's largest value so far
    max_step   longest step; None leaves it to the error. No step is longer than the shortest delay
    max_steps  steps after which a row is given up, and max_steps_per_unit: see `Budget`

    Raises EngineError for another system.
    """

    threads = False

    def __init__(
        self,
        system: System,
        tolerance: float = DEFAULT_TOLERANCE,
        max_step: float | None = None,
        max_steps: int = 0,
        max_steps_per_unit: float | None = None,
    ) -> None:
        if not isinstance(system, DelaySystem):
            raise EngineError(f'engine "collocation" integrates delay equations, not {system.name!r:.80}')
        longest = np.inf if max_step is None else max_step
        super().__init__(system, tolerance, longest, Budget(max_steps, max_steps_per_unit))

    def march(
        self,
        starts: np.ndarray,
        parameters: np.ndarray,
        start: float,
        end: float,
        *,
        by_component: bool = False,
    ) -> March:
        """Rows from `starts` (n, D) on, with parameters (n, P), between these times."""
        made = March if self.pieces.smooth else RoughMarch
        return made(self, starts, parameters, start, end, by_component=by_component)

    def describe(self) -> dict[str, Any]:
        return {
            "name": "collocation",
            "version": np.__version__,
            "revision": REVISION,
            "method": METHOD,
            "tolerance": self.tolerance,
            "max_step": None if np.isinf(self.max_step) else self.max_step,
            **self.budget.describe(),
        }

    def solve(
        self,
        initial_states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        report: Callable[[int], None] | None = None,
    ) -> Solution:
        """See `Engine.solve`. Before times[0] every state has its initial value."""
        states = np.full((len(initial_states), len(times), len(self.system.states)), np.nan)
        status = np.full(len(initial_states), Status.DIVERGED, dtype=np.int8)
        delays = self.system.delay_values(parameters)
        able = np.isfinite(initial_states).all(axis=1) & np.isfinite(parameters).all(axis=1)
        rows = np.flatnonzero(able & (delays > 0).all(axis=1))
        told = SeldomReport(report)
        for first in range(0, len(rows), ROWS):
            chosen = rows[first : first + ROWS]
            for by_component in (False, True):
                march = self.march(
                    initial_states[chosen],
                    parameters[chosen],
                    float(times[0]),
                    float(times[-1]),
                    by_component=by_component,
                )
                values = np.full((len(chosen), *states.shape[1:]), np.nan)
                values[:, 0] = initial_states[chosen]
                while (moved := march.step(float(times[-1]))) is not None:
                    march.write(moved, times, values)
                    told(first + int(np.count_nonzero(march.time >= times[-1])))
                states[chosen], status[chosen] = values, march.status
                # Once more, those whose components are too small to err by parts of 1.
                chosen = chosen[march.uneven()]
                if not len(chosen):
                    break
        return blank_failed(states, status)
