"""Delay equations as a march needs them: compiled, and how closely they are to be followed."""

from collections.abc import Callable
from typing import Any

from ...systems.delay import DelaySystem
from ...systems.effort import bounded
from ..base.budget import Budget
from .pieces import DelayPieces


class Problem:
    """A delay system, its error a step, its longest step, and how many steps a row may take."""

    def __init__(self, system: DelaySystem, tolerance: float, max_step: float, budget: Budget) -> None:
        self.system, self.tolerance, self.max_step, self.budget = system, tolerance, max_step, budget
        self._field: Callable[..., Any] | None = None
        self._pieces: DelayPieces | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Compiled functions do not travel to worker processes; they are made again there.
        return {**self.__dict__, "_field": None, "_pieces": None}

    @property
    def field(self) -> Callable[..., Any]:
        """f(t, x, p) over arrays, x the states followed by the delayed ones."""
        if self._field is None:
            self._field = self.system.function(list(self.system.vector_field), "scipy")
        return self._field

    @property
    def pieces(self) -> DelayPieces:
        if self._pieces is None:
            with bounded(self.system.longest):
                self._pieces = DelayPieces(self.system)
        return self._pieces
