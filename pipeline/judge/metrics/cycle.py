"""Amplitude and period of a limit cycle, from samples of a trajectory."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from ...dynamics.engines import Engine

# An oscillation smaller than this part of what its component has been is no cycle but a decay.
SMALLEST_AMPLITUDE = 1e-3
# Two measurements of one cycle agree to this, relatively: the error of the spline is smaller.
AGREEMENT = 1e-7
# A swing is over more than this part of the range of all values; kinks, noise and ripples are smaller.
SWING = 0.4
# Swings of a cycle take the same time, but for this part of it: noise, and most chaos, swing less evenly.
IRREGULAR = 0.3
# Times are found to this part of a sampling interval.
LAST_PLACE = 1e-14
# So many periods there may be before the first full swing and after the last one.
ENDS = 1.5


@dataclass(frozen=True)
class Cycle:
    """Amplitude (half of peak to peak, in units of the state) and period (in units of time)."""

    amplitude: float
    period: float


def measure_cycle(times: np.ndarray, values: np.ndarray) -> Cycle | None:
    """The mean cycle of one component, (T,) values at (T,) times; None if there are not two periods of one.

    Only full swings count, so kinks where windows are chained, noise and ripples are no extrema. A cubic spline gives
    the heights of extrema, and when each swing is half done, to fourth order in the sampling interval. Swings that do
    not follow each other regularly, or do not go on from the beginning to the end, are no cycle.
    """
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return None
    turns = _turns(values)
    if len(turns) < 5:
        return None
    spline = CubicSpline(times, values)
    heights = _heights(spline, times, values, turns)
    swings = zip(turns[:-1], turns[1:], 0.5 * (heights[:-1] + heights[1:]), strict=True)
    halves = np.array([_passing(spline, times, values, *swing) for swing in swings])
    # From a swing to the next one in the same direction: up and down need not take as long as each other.
    periods = halves[2:] - halves[:-2]
    period = float(periods.mean())
    rest = max(times[turns[0]] - times[0], times[-1] - times[turns[-1]])
    if periods.std() > IRREGULAR * period or rest > ENDS * period:
        return None
    return Cycle(0.5 * float(np.abs(np.diff(heights)).mean()), period)


def _turns(values: np.ndarray) -> list[int]:
    """Where full swings end, peaks and troughs in turn: the numbers of their samples."""
    least = SWING * np.ptp(values)
    # Both may be the first extremum, until the values have left one of them far enough.
    turns, low, high, rising = [], 0, 0, None
    slopes = np.diff(values)
    for place in [*(np.flatnonzero(slopes[:-1] * slopes[1:] <= 0) + 1), len(values) - 1]:
        if rising is not False and values[place] > values[high]:
            high = place
        if rising is not True and values[place] < values[low]:
            low = place
        if rising is not False and values[high] - values[place] > least:
            turns.append(high)
            rising, low = False, place
        elif rising is not True and values[place] - values[low] > least:
            turns.append(low)
            rising, high = True, place
    # No full swing leads to the first one.
    return turns[1:]


def _heights(spline: CubicSpline, times: np.ndarray, values: np.ndarray, turns: list[int]) -> np.ndarray:
    """Values (n,) of the extrema that lie within one sampling interval of these samples."""
    flat = spline.derivative().roots(extrapolate=False)
    heights = []
    for turn in turns:
        near = flat[(flat >= times[turn - 1]) & (flat <= times[turn + 1])]
        candidates = np.append(spline(near), values[turn])
        upwards = values[turn] > values[turn - 1] or values[turn] > values[turn + 1]
        heights.append(candidates.max() if upwards else candidates.min())
    return np.array(heights)


def _passing(
    spline: CubicSpline, times: np.ndarray, values: np.ndarray, start: int, stop: int, level: float
) -> float:
    """When the values first pass a level between two samples that lie on either side of it."""
    above = values[start : stop + 1] > level
    place = start + int(np.argmax(above != above[0]))
    early, late = times[place - 1], times[place]
    return float(brentq(lambda t: spline(t) - level, early, late, xtol=LAST_PLACE * (late - early)))  # pyright: ignore


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
    first = _rest(engine, starts[0], parameters[0], duration, step, component)
    # Where one never comes to rest, as on a chaotic attractor, the search was long, and the other cannot help.
    last = _rest(engine, starts[-1], parameters[-1], duration, step, component) if first is not None else None
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
    state, before, largest = start, None, 0.0
    for _ in range(100):
        solution = engine.solve(state[None], parameters[None], times)
        path = solution.states[0]
        swing = 0.5 * float(np.ptp(path[:, component]))
        largest = max(largest, float(np.abs(path[:, component]).max()))
        if not swing > SMALLEST_AMPLITUDE * largest:
            return None
        # None while the trajectory is still on its way.
        cycle = measure_cycle(times, path[:, component])
        if cycle is not None and before is not None and _close(cycle, before):
            return cycle
        state, before = path[-1], cycle
    return None


def _close(a: Cycle, b: Cycle) -> bool:
    return abs(a.amplitude / b.amplitude - 1) < AGREEMENT and abs(a.period / b.period - 1) < AGREEMENT
