"""The independent check of delay equations: SciPy's solve_ivp from one breaking point to the next."""

from bisect import bisect_left
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.integrate import OdeSolution, solve_ivp

from ..systems.delay import DelaySystem
from .absolute import Stated
from .breaking_points import breaking_points
from .engine import EngineError
from .scipy import ScipyEngine

# Of delays after the start: beyond, the methods, of order 8 at most, do not feel the jumps.
LEVEL = 8


class ScipyDelayEngine(ScipyEngine):
    """The method of steps: an ordinary equation on each interval, none longer than the shortest delay, so that what
    it looks back to is known: SciPy's dense output before, and the initial state before that."""

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
        ends: list[float] = []
        pieces: list[OdeSolution] = []

        def late(time: float) -> list[float]:
            values = []
            for _, component, delay in system.delayed:
                then = time - float(delays[delay])
                if then <= times[0] or not ends:
                    values.append(float(initial_state[component]))
                else:
                    piece = pieces[min(bisect_left(ends, then), len(ends) - 1)]
                    values.append(float(piece(then)[component]))
            return values

        field, jacobian = self._compiled()
        options = self._options(
            initial_state,
            parameters,
            times,
            control,
            lambda time, state, p: field(time, [*state, *late(time)], p),
            lambda time, state, p: jacobian(time, [*state, *late(time)], p),
        )
        status, state, seen_at, seen = 0, initial_state, [times[:1]], [initial_state[:, None]]
        for begin, end in _intervals(delays, float(times[0]), float(times[-1])):
            result = solve_ivp(t_span=(begin, end), y0=state, dense_output=True, **options)
            status = result.status
            inside, values = result.t[1:], result.y[:, 1:]
            if grid is not None and status == 0:
                inside = grid[(grid > begin) & (grid <= end)]
                values = result.sol(inside) if len(inside) else values[:, :0]
            seen_at.append(inside)
            seen.append(values)
            if status != 0:
                break
            state = result.y[:, -1]
            while ends and ends[0] < end - delays.max():
                del ends[0], pieces[0]
            ends.append(end)
            pieces.append(result.sol)
        return SimpleNamespace(status=status, t=np.concatenate(seen_at), y=np.concatenate(seen, axis=1))


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
