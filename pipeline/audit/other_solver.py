"""The solver that integrates rows again: any but the engine that made them, and each component to its own scale."""

from typing import Any

import numpy as np

from ...data.shard.schema import Status
from ..dynamics.engines import Engine, EngineSettings, Solution, make_engine
from ..dynamics.engines.base.absolute import Stated
from ..dynamics.engines.delay.scipy import ScipyDelayEngine
from ..dynamics.engines.runge_kutta.scipy import ScipyEngine
from ..dynamics.engines.settings import REFERENCE_TOLERANCE
from ..dynamics.systems import System

# Between steps an explicit method errs more than its tolerance says, where a state rises steeply.
EXPLICIT_TOLERANCE = 1e-13
# After so many steps an explicit method is at a stiff row, which LSODA takes over.
EXPLICIT_STEPS = 2_000
# SciPy's methods cannot slide along a jump; for rows that do, Taylor series of this tolerance check themselves.
OTHER_TOLERANCE = 1e-13
# Of many components those that decay fast bound an explicit step, but the algebra of an implicit one costs more.
FIELD_STEPS = 20_000
# No step can err less than rounding does; there are more than so many.
QUIET = 0.01


class OtherSolver:
    """Solves rows (K,) that the engine of this name made, in pieces.

    methods  names of those that it has taken
    """

    def __init__(self, system: System, stored: str, rows: int) -> None:
        self._engine, self._second = _other_engine(system, stored)
        self._stiff = np.zeros(rows, dtype=bool)
        self.methods: list[str] = []

    def solve(
        self,
        rows: np.ndarray,
        states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        scales: np.ndarray,
        noise: np.ndarray,
    ) -> Solution:
        """From states (n, S) of these rows (n,) on.

        scales  (n, S) sizes of their components
        noise   (n, S) what rounding makes of them until the last of the times
        """
        given = states, parameters, times, scales, noise
        found = Solution(
            np.full((len(rows), len(times), states.shape[1]), np.nan),
            np.full(len(rows), Status.STEP_LIMIT, np.int8),
        )
        left = self._stiff[rows]
        self._take(self._engine, ~left, found, *given)
        if self._second is None:
            return found
        # A row that is stiff in one piece is so in most that follow.
        left = np.isin(found.status, [Status.STEP_LIMIT, Status.SOLVER_FAILED])
        self._take(self._second, left, found, *given)
        stiff = left & (found.status == Status.OK) & isinstance(self._second, _ByScale)
        again = self._stiff[rows] & left & ~stiff
        self._stiff[rows] = stiff
        self._take(self._engine, again, found, *given)
        return found

    def _take(
        self,
        engine: Engine,
        which: np.ndarray,
        found: Solution,
        states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        scales: np.ndarray,
        noise: np.ndarray,
    ) -> None:
        if not which.any():
            return
        name = str(engine.describe()["method"])
        self.methods.extend([name] if name not in self.methods else [])
        if not isinstance(engine, _ByScale):
            solution = engine.solve(states[which], parameters[which], times)
            found.states[which], found.status[which] = solution.states, solution.status
            return
        for row in np.flatnonzero(which):
            engine.hold(scales[row], noise[row])
            one = slice(row, row + 1)
            solution = engine.solve(states[one], parameters[one], times)
            found.states[one], found.status[one] = solution.states, solution.status


class _ByScale(ScipyEngine):
    """SciPy's methods, which hold each component to its own scale along the whole row."""

    _held: np.ndarray

    def hold(self, scales: np.ndarray, noise: np.ndarray) -> None:
        """To components (S,) of these sizes, or to the noise (S,) that rounding makes of them."""
        least = np.maximum(QUIET * noise, np.finfo(np.float64).smallest_subnormal)
        self._held = np.maximum(self._tolerance * scales, least)

    def _stated(self) -> Stated:
        control = Stated(self._tolerance)
        control.tolerance = self._held
        return control


class _DelayByScale(_ByScale, ScipyDelayEngine):
    pass


def _by_scale(system: System, tolerance: float, **settings: Any) -> Engine:
    return (_DelayByScale if system.retarded else _ByScale)(system, tolerance, **settings)


def _other_engine(system: System, stored: str) -> tuple[Engine, Engine | None]:
    """An engine, and one for the rows that it gives up, most of which are too stiff for it."""
    if stored == "scipy":
        settings = EngineSettings().resolve(system=system)
        if settings.name != "scipy":
            explicit = _by_scale(system, EXPLICIT_TOLERANCE, max_steps=FIELD_STEPS)
            return make_engine(system, settings), explicit
    limit = EXPLICIT_STEPS if system.ordinary else FIELD_STEPS
    explicit = _by_scale(system, EXPLICIT_TOLERANCE, max_steps=limit)
    if stored == "heyoka" and not system.smooth:
        return explicit, make_engine(system, EngineSettings(name=stored, tolerance=OTHER_TOLERANCE))
    if stored == "collocation" and not system.smooth:
        # Through a corner that is all but touched, SciPy's dense output may not find its way.
        return explicit, make_engine(system, EngineSettings(name=stored, tolerance=REFERENCE_TOLERANCE))
    return explicit, _by_scale(system, REFERENCE_TOLERANCE, method="LSODA")
