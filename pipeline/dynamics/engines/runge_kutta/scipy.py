"""The engine that runs everywhere, and the independent check: SciPy's solve_ivp, a row at a time."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy
from scipy.integrate import solve_ivp

from .....data.shard.schema import Status
from ...systems import System
from ...systems.effort import bounded
from ..base.absolute import AT_REST, ByComponent, Even, Stated, UnevenError, watched
from ..base.budget import Budget
from ..base.engine import REVISION, EngineError, Solution, blank_failed
from .careful import Careful, LeftDomainError, StepLimitReachedError, careful
from .clamped import clamped
from .counted import RUNAWAY, Counted
from .march import March

METHODS = ("DOP853", "RK45", "RK23", "LSODA", "Radau", "BDF")
STIFF_METHODS = ("LSODA", "Radau", "BDF")
DEFAULT_METHOD = "DOP853"
DEFAULT_TOLERANCE = 1e-12
REPORT_EVERY = 16
# More than any method needs for a step, Newton iterations and numbers for dense output included.
EVALUATIONS_A_STEP = 40


def _or_nan(
    function: Callable[..., Any], time: float, state: np.ndarray, values: list[float], shape: tuple[int, int]
) -> np.ndarray:
    try:
        return np.array(function(float(time), state.tolist(), values), dtype=np.float64)
    except (OverflowError, ValueError, ZeroDivisionError, TypeError):
        return np.full(shape, np.nan)


class ScipyEngine:
    """Runge-Kutta, Adams/BDF and Radau methods; values on the grid come from the solver's dense output.

    method              one of METHODS; stiff methods get the Jacobian
    tolerance           relative
    absolute_tolerance  in the units of the states; where it is None, or the same number as `tolerance`, it is
                        that part of the largest value that each component has had so far, if `by_component`
    max_step            longest step; None leaves it to the solver
    max_steps           a row is given up after EVALUATIONS_A_STEP evaluations for each, and max_steps_per_unit: see
                        `Budget`
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
        by_component: bool = True,
        max_steps_per_unit: float | None = None,
    ) -> None:
        if method not in METHODS:
            raise EngineError(f"no method {method!r} in SciPy's solve_ivp; there are {', '.join(METHODS)}")
        self._system = system
        self._tolerance = tolerance
        self._absolute = tolerance if absolute_tolerance is None else absolute_tolerance
        self._by_component = by_component and self._absolute == tolerance
        self._budget = Budget(max_steps, max_steps_per_unit)
        self._method = method
        self._max_step = np.inf if max_step is None else max_step
        self._resampling = resampling
        self._functions: tuple[Callable[..., Any], Callable[..., Any]] | None = None
        self._careful: Careful | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Compiled functions do not travel to worker processes; they are made again there.
        return {**self.__dict__, "_functions": None, "_careful": None}

    def describe(self) -> dict[str, Any]:
        return {
            "name": "scipy",
            "version": scipy.__version__,
            "revision": REVISION,
            "method": self._method,
            "tolerance": self._tolerance,
            "absolute_tolerance": self._absolute,
            "max_step": None if np.isinf(self._max_step) else self._max_step,
            **self._budget.describe(),
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
        if not (np.isfinite(initial_state).all() and np.isfinite(parameters).all()):
            return Status.DIVERGED
        linear = self._resampling == "linear"
        try:
            result = self._controlled(initial_state, parameters, times, None if linear else times)
            if result.status != 0:
                # Did it give up because the state grew without bound? Its own steps tell.
                path = self._controlled(initial_state, parameters, times, None)
                sizes, half = np.abs(path.y).max(axis=0), (path.t[0] + path.t[-1]) / 2
                grown = sizes[-1] > RUNAWAY * sizes[path.t <= half].max()
                return Status.DIVERGED if grown else Status.SOLVER_FAILED
        except StepLimitReachedError:
            return Status.STEP_LIMIT
        except (LeftDomainError, ValueError, np.linalg.LinAlgError):
            # The last two are what implicit methods raise when the state is no longer finite.
            return Status.DIVERGED
        if linear:
            for component, path in enumerate(result.y):
                out[:, component] = np.interp(times, result.t, path)
        else:
            out[:] = result.y.T
            # Multistep methods interpolate there too, and may miss the last digit.
            out[0] = initial_state
        return Status.OK

    def _stated(self) -> Stated | None:
        """The absolute tolerance of all of a row, where it is known before."""
        return None if self._by_component else Stated(self._absolute)

    def _controlled(
        self,
        initial_state: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        grid: np.ndarray | None,
    ) -> Any:
        """What solve_ivp says, with an absolute tolerance that is right for the row."""
        row = initial_state, parameters, times, grid
        if (stated := self._stated()) is not None:
            return self._integrate(*row, stated)
        one = Even(self._absolute)
        rough = None
        try:
            rough = self._integrate(*row, one)
            if one.even:
                return rough
        except UnevenError:
            pass
        except Exception:
            if one.even:
                raise
        try:
            result = self._integrate(*row, ByComponent(self._tolerance))
            if result.status == 0 or rough is None or rough.status != 0:
                return result
        except Exception:
            if rough is None or rough.status != 0:
                raise
        # What is all but at rest for a while may be the noise that cancellation leaves; nobody can follow that.
        return self._integrate(*row, ByComponent(self._tolerance, AT_REST * one.sizes))

    def _integrate(
        self,
        initial_state: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        grid: np.ndarray | None,
        control: Stated,
    ) -> Any:
        options = self._options(initial_state, parameters, times, control, *self._compiled())
        if self._careful is None:
            return solve_ivp(t_span=(times[0], times[-1]), y0=initial_state, t_eval=grid, **options)
        function, method = options.pop("fun"), options.pop("method")
        return March(
            self._careful,
            lambda time, state, end: method(function, time, state, end, **options),
            self._compiled()[0],
            parameters.tolist(),
            (self._tolerance, control.tolerance),
        ).run(initial_state, times, grid)

    def _options(
        self,
        initial_state: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        control: Stated,
        field: Callable[..., Any],
        jacobian: Callable[..., Any],
    ) -> dict[str, Any]:
        """Of solve_ivp along the whole grid, the function included, but for the interval and the initial state."""
        values = parameters.tolist()
        most = EVALUATIONS_A_STEP * self._budget.steps(times)
        counted = Counted(field, values, most, float(times[-1]))
        control.begin(counted, times, initial_state)
        options: dict[str, Any] = {
            "fun": counted,
            "method": watched(self._method),
            "control": control,
            "rtol": self._tolerance,
            "atol": control.tolerance,
            "max_step": self._max_step,
        }
        if self._method in STIFF_METHODS:
            options["jac"] = lambda time, state: _or_nan(
                jacobian, time, state, values, (len(state), len(state))
            )
        return options

    def _compiled(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        if self._functions is None:
            if self._system.ordinary:
                with bounded(self._system.longest):
                    self._careful = careful(self._system)
            self._functions = (
                self._system.numeric()
                if self._careful is None
                else self._system.numeric_by(partial(clamped, self._system))
            )
        return self._functions
