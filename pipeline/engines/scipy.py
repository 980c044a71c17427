"""The engine that runs everywhere, and the independent check: SciPy's solve_ivp, a row at a time."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
from scipy.integrate import solve_ivp

from ...data.format import Status
from ..systems import System
from .engine import EngineError, Solution, blank_failed

METHODS = ("DOP853", "RK45", "RK23", "LSODA", "Radau", "BDF")
STIFF_METHODS = ("LSODA", "Radau", "BDF")
DEFAULT_METHOD = "DOP853"
DEFAULT_TOLERANCE = 1e-12
REPORT_EVERY = 16
# More than any method needs for a step, Newton iterations and numbers for dense output included.
EVALUATIONS_A_STEP = 40
# A solver that gives up with the state this many times larger than at the start has met a singularity.
RUNAWAY = 1e6


class _StepLimitReachedError(Exception):
    pass


class ScipyEngine:
    """Runge-Kutta, Adams/BDF and Radau methods; values on the grid come from the solver's dense output.

    method              one of METHODS; stiff methods get the Jacobian
    tolerance           relative; absolute_tolerance is the same where it is None
    max_step            longest step; None leaves it to the solver
    max_steps           a row is given up after EVALUATIONS_A_STEP evaluations for each; 0 is no limit
    resampling          "dense", or "linear": straight lines between the solver's own steps

    Raises EngineError for an unknown method.
    """

    threads = False

    def __init__(
        self,
        system: System,
        tolerance: float = DEFAULT_TOLERANCE,
        max_steps: int = 0,
        *,
        method: str = DEFAULT_METHOD,
        absolute_tolerance: float | None = None,
        max_step: float | None = None,
        resampling: str = "dense",
    ) -> None:
        if method not in METHODS:
            raise EngineError(f"no method {method!r} in SciPy's solve_ivp; there are {', '.join(METHODS)}")
        self._system = system
        self._tolerance = tolerance
        self._absolute = tolerance if absolute_tolerance is None else absolute_tolerance
        self._max_steps = max_steps
        self._method = method
        self._max_step = np.inf if max_step is None else max_step
        self._resampling = resampling
        self._functions: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Compiled functions do not travel to worker processes; they are made again there.
        return {**self.__dict__, "_functions": None}

    def describe(self) -> dict[str, Any]:
        return {
            "name": "scipy",
            "version": scipy.__version__,
            "method": self._method,
            "tolerance": self._tolerance,
            "absolute_tolerance": self._absolute,
            "max_step": None if np.isinf(self._max_step) else self._max_step,
            "max_steps": self._max_steps,
        }

    def solve(
        self,
        initial_states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        report: Callable[[int], None] | None = None,
    ) -> Solution:
        """See `Engine.solve`."""
        rows, dimension = initial_states.shape
        states = np.full((rows, len(times), dimension), np.nan)
        status = np.zeros(rows, dtype=np.int8)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # A failing row makes solvers warn; its status says it instead.
            warnings.simplefilter("ignore")
            for row in range(rows):
                status[row] = self._solve_row(initial_states[row], parameters[row], times, states[row])
                if report is not None and row % REPORT_EVERY == REPORT_EVERY - 1:
                    report(row + 1)
        return blank_failed(states, status)

    def _solve_row(
        self, initial_state: np.ndarray, parameters: np.ndarray, times: np.ndarray, out: np.ndarray
    ) -> Status:
        if not np.isfinite(initial_state).all():
            return Status.DIVERGED
        field, jacobian = self._compiled()
        values = parameters.tolist()
        limit = EVALUATIONS_A_STEP * self._max_steps
        calls = 0

        def right_hand_side(time: float, state: np.ndarray) -> Any:
            nonlocal calls
            calls += 1
            if limit and calls > limit:
                raise _StepLimitReachedError
            try:
                return field(time, state.tolist(), values)
            except (OverflowError, ValueError, ZeroDivisionError):
                return [np.nan] * len(state)

        def its_jacobian(time: float, state: np.ndarray) -> Any:
            try:
                return jacobian(time, state.tolist(), values)
            except (OverflowError, ValueError, ZeroDivisionError):
                return np.full((len(state), len(state)), np.nan)

        linear = self._resampling == "linear"
        options: dict[str, Any] = {"jac": its_jacobian} if self._method in STIFF_METHODS else {}
        try:
            result = solve_ivp(
                right_hand_side,
                (times[0], times[-1]),
                initial_state,
                method=self._method,
                t_eval=None if linear else times,
                rtol=self._tolerance,
                atol=self._absolute,
                max_step=self._max_step,
                **options,
            )
        except _StepLimitReachedError:
            return Status.STEP_LIMIT
        except (ValueError, np.linalg.LinAlgError):
            # What implicit methods raise when the state is no longer finite.
            return Status.DIVERGED
        if result.status != 0:
            return (
                Status.DIVERGED
                if self._ran_away(right_hand_side, times, initial_state, options)
                else (Status.SOLVER_FAILED)
            )
        if linear:
            for component, path in enumerate(result.y):
                out[:, component] = np.interp(times, result.t, path)
        else:
            out[:] = result.y.T
        return Status.OK

    def _ran_away(
        self, field: Callable[..., Any], times: np.ndarray, initial_state: np.ndarray, options: dict[str, Any]
    ) -> bool:
        """Did a solver give up because the state grew without bound? Its own last step tells."""
        path = solve_ivp(
            field,
            (times[0], times[-1]),
            initial_state,
            method=self._method,
            rtol=self._tolerance,
            atol=self._absolute,
            **options,
        ).y
        return not np.abs(path[:, -1]).max() < RUNAWAY * (1 + np.abs(initial_state).max())

    def _compiled(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        if self._functions is None:
            system = self._system
            self._functions = (
                system.function(list(system.vector_field), "math"),
                system.function(system.jacobian.tolist(), "math"),
            )
        return self._functions
