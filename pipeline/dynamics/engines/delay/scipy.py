"""The independent check of delay equations: SciPy's solve_ivp from one breaking point to the next."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from ...systems.delay import DelaySystem
from ...systems.effort import bounded
from ..base.absolute import Stated
from ..base.engine import EngineError
from ..runge_kutta.scipy import ScipyEngine
from .breaking_points import breaking_points
from .dense_past import DensePast
from .pieces import DelayPieces
from .rough_scipy import FAILED, RoughWay

# Of delays after the start: beyond, the methods, of order 8 at most, do not feel the jumps.
LEVEL = 8


class ScipyDelayEngine(ScipyEngine):
    """The method of steps: an ordinary equation on each interval, none longer than the shortest delay, so that what
    it looks back to is known: SciPy's dense output before, and the initial state before that."""

    _pieces: DelayPieces | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_pieces": None}

    def _integrate(
        self,
        initial_state: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        grid: np.ndarray | None,
        control: Stated,
    ) -> Any:
        system = self._system
        if not isinstance(system, DelaySystem):
            raise EngineError(f"system {system.name!r:.80} has no delays; use ScipyEngine")
        delays = system.delay_values(parameters[None])[0]
        if not (delays > 0).all():
            raise ValueError("a delay that is not above 0")
        if self._pieces is None:
            with bounded(system.longest):
                self._pieces = DelayPieces(system)
        pieces = self._pieces
        if pieces.number == 0:
            seen = self._smooth_way(system, pieces, initial_state, parameters, times, grid, control)
            if seen is not None:
                return seen
        past = DensePast(float(times[0]), initial_state)
        way = self._rough_way(system, pieces, initial_state, parameters, past, times, control)
        seen = _Seen(times[0], initial_state, grid)
        for begin, result in way.go(initial_state, float(times[0]), float(times[-1])):
            seen.add(begin, result)
        return seen.all()

    def _smooth_way(
        self,
        system: DelaySystem,
        pieces: DelayPieces,
        state: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        grid: np.ndarray | None,
        control: Stated,
    ) -> Any:
        """A row without kinks and jumps; None if it comes to one that a function such as a root has."""
        delays = system.delay_values(parameters[None])[0]
        past, seen = DensePast(float(times[0]), state), _Seen(times[0], state, grid)
        guard = None
        if pieces.guarded:
            guard = self._rough_way(system, pieces, state, parameters, past, times, control)

        def late(time: float) -> list[float]:
            return [past.at(component, time - float(delays[delay])) for _, component, delay in system.delayed]

        field, jacobian = self._compiled()
        options = self._options(
            state,
            parameters,
            times,
            control,
            lambda time, state, p: field(time, [*state, *late(time)], p),
            lambda time, state, p: jacobian(time, [*state, *late(time)], p),
        )
        for begin, end in _intervals(delays, float(times[0]), float(times[-1])):
            result = solve_ivp(t_span=(begin, end), y0=state, dense_output=True, **options)
            if guard is not None and result.status == 0 and guard.meets_branch(result.sol):
                return None
            seen.add(begin, result)
            if result.status != 0:
                break
            state = result.y[:, -1]
            past.add(end, result.sol, end - delays.max())
        return seen.all()

    def _rough_way(
        self,
        system: DelaySystem,
        pieces: DelayPieces,
        state: np.ndarray,
        parameters: np.ndarray,
        past: DensePast,
        times: np.ndarray,
        control: Stated,
    ) -> RoughWay:
        def options(field: Any, jacobian: Any) -> dict[str, Any]:
            return self._options(state, parameters, times, control, field, jacobian)

        return RoughWay(system, pieces, parameters, past, options, LEVEL)


class _Seen:
    """What is kept of a row: its states on a grid, or at the solver's own steps."""

    def __init__(self, start: float, initial_state: np.ndarray, grid: np.ndarray | None) -> None:
        self._grid, self._status = grid, 0
        self._times, self._values = [np.array([start])], [initial_state[:, None]]

    def add(self, begin: float, result: Any) -> None:
        """A piece from `begin` on, as solve_ivp gives it; None if there is none."""
        self._status = FAILED if result is None else result.status
        if result is None:
            return
        inside, values = result.t[1:], result.y[:, 1:]
        if self._grid is not None and self._status == 0:
            inside = self._grid[(self._grid > begin) & (self._grid <= result.t[-1])]
            values = result.sol(inside) if len(inside) else values[:, :0]
        self._times.append(inside)
        self._values.append(values)

    def all(self) -> Any:
        return SimpleNamespace(
            status=self._status, t=np.concatenate(self._times), y=np.concatenate(self._values, axis=1)
        )


def _intervals(delays: np.ndarray, start: float, end: float) -> Iterator[tuple[float, float]]:
    """From breaking point to breaking point, cut where it is farther than the shortest delay."""
    left = start
    for right in (*breaking_points(delays, start, end, LEVEL), end):
        parts = max(1, int(np.ceil((right - left) / delays.min() * (1 - 1e-9))))
        width, begin = (right - left) / parts, left
        for number in range(1, parts + 1):
            following = right if number == parts else left + number * width
            yield begin, following
            begin = following
        left = right
