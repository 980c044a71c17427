"""Amplitude and period of a limit cycle, from samples of a trajectory."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from .engines import Engine

# An oscillation smaller than this part of the initial state is no cycle but a decay.
SMALLEST_AMPLITUDE = 1e-3
# Two measurements of one cycle agree to this, relatively: the error of the spline is smaller.
AGREEMENT = 1e-7


@dataclass(frozen=True)
class Cycle:
    """Amplitude (half of peak to peak, in units of the state) and period (in units of time)."""

    amplitude: float
    period: float


def measure_cycle(times: np.ndarray, values: np.ndarray) -> Cycle | None:
    """The mean cycle of one component, (T,) values at (T,) times; None if there are not two periods.

    A cubic spline gives extrema and upward crossings of the mid-line between the samples, to fourth order in
    the sampling interval.
    """
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return None
    spline = CubicSpline(times, values)
    middle = 0.5 * (values.max() + values.min())
    # One crossing for each change of sign: a root that falls on a sample would be found twice by the spline.
    before = np.flatnonzero((values[:-1] < middle) & (values[1:] >= middle))
    rising = [
        float(brentq(lambda t: spline(t) - middle, times[i], times[i + 1], xtol=1e-14))  # pyright: ignore
        for i in before
    ]
    turns = spline.derivative().roots(extrapolate=False)
    inner = turns[(turns > times[0]) & (turns < times[-1])]
    peaks, troughs = (spline(inner[sign * spline(inner, 2) < 0]) for sign in (1, -1))
    if len(rising) < 3 or not len(peaks) or not len(troughs):
        return None
    amplitude = 0.5 * float(np.mean(peaks) - np.mean(troughs))
    return Cycle(amplitude, (rising[-1] - rising[0]) / (len(rising) - 1))


def limit_cycle(
    engine: Engine,
    starts: np.ndarray,
    parameters: np.ndarray,
    duration: float,
    step: float,
    component: int = 0,
) -> Cycle | None:
    """The one cycle of an autonomous system on which all trajectories come to rest; None if there is none.

    starts      (N, D) initial states, of which the first and the last are followed
    parameters  (N, P)
    duration    integrated and measured again and again until the cycle no longer changes
    step        sampling interval
    component   which is measured

    Where different initial states keep different amplitudes, as in a conservative system, there is none.
    """
    found = [_rest(engine, starts[row], parameters[row], duration, step, component) for row in (0, -1)]
    first, last = found
    return first if first is not None and last is not None and _close(first, last) else None


def _rest(
    engine: Engine,
    start: np.ndarray,
    parameters: np.ndarray,
    duration: float,
    step: float,
    component: int,
) -> Cycle | None:
    times = np.linspace(0.0, duration, round(duration / step) + 1)
    state, before = start, None
    for _ in range(100):
        solution = engine.solve(state[None], parameters[None], times)
        path = solution.states[0]
        swing = 0.5 * float(np.ptp(path[:, component]))
        if not swing > SMALLEST_AMPLITUDE * (1e-12 + np.abs(start).max()):
            return None
        # None while the trajectory is still on its way.
        cycle = measure_cycle(times, path[:, component])
        if cycle is not None and before is not None and _close(cycle, before):
            return cycle
        state, before = path[-1], cycle
    return None


def _close(a: Cycle, b: Cycle) -> bool:
    return abs(a.amplitude / b.amplitude - 1) < AGREEMENT and abs(a.period / b.period - 1) < AGREEMENT
