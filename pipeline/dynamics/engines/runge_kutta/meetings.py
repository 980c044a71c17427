"""When, within one step of a solver, the argument of a branch comes to zero or near to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy.optimize import brentq, minimize_scalar

# Points of a step at which arguments are looked at; where their series do not fall off by so much, at those of its
# halves, and so on, down to so many pieces.
ORDER, FALL, MOST_PIECES = 16, 1e-3, 64
MOST_HALVINGS = 2_000
# Arguments that are the same but for this part at a few points of a step, uneven ones, are so between them.
FEW, SAME = np.array([0.0, 0.31, 0.57, 0.83, 1.0]), 0.1
# An argument that falls to so small a part of what it is elsewhere in the step has come to zero, or near to it.
NEAR = 1e-2
# So near to zero, relative to its terms, an argument is zero.
HIDDEN = 1e-13

_TURNS = (1 - np.cos(np.linspace(0, np.pi, ORDER + 1))) / 2
_TO_SERIES = np.linalg.inv(chebyshev.chebvander(2 * _TURNS - 1, ORDER))


# f(t, x) -> (2 branches,)
Arguments = Callable[[float, list[float]], Sequence[float]]


@dataclass(frozen=True)
class Step:
    """From `before` (D,) at `begin` to `after` at `end`, and between them `dense`, f(times (n,)) -> states (D, n)."""

    begin: float
    before: np.ndarray
    end: float
    after: np.ndarray
    dense: Callable[..., Any]

    def at(self, time: float) -> np.ndarray:
        """The state (D,)."""
        return np.asarray(self.dense(time))


def at(step: Step, times: np.ndarray, arguments: Arguments) -> list[Sequence[float]]:
    """Arguments at times of a step: of each time (2 branches,), those of branches, and what their terms add up to."""
    states = np.asarray(step.dense(times)).T.tolist()
    return [arguments(time, state) for time, state in zip(times.tolist(), states, strict=True)]


def quiet(rows: list[Sequence[float]], positive: Sequence[bool]) -> bool:
    """Do arguments at FEW times of a step hardly differ? Then it need not be looked at any closer.

    positive  (branches,) whether an argument must be so
    """
    for values, above in zip(zip(*rows, strict=True), positive, strict=False):
        low, high = min(values), max(values)
        if not high - low <= SAME * (low if above else max(low, -high)):
            return False
    return True


def along(step: Step, arguments: Arguments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (n,), arguments of branches (branches, n), and what their terms add up to."""
    waiting, pieces = [(step.begin, step.end)], []
    while waiting:
        begin, end = waiting.pop()
        times = begin + (end - begin) * _TURNS
        values, sizes = np.split(np.array(at(step, times, arguments)).T, 2)
        series = np.abs(_TO_SERIES @ values.T)
        rough = series[-3:].max(axis=0) > FALL * series[1:].max(axis=0) + HIDDEN * sizes.max(axis=1)
        middle = (begin + end) / 2
        if rough.any() and len(pieces) + len(waiting) < MOST_PIECES and begin < middle < end:
            waiting += [(middle, end), (begin, middle)]
        else:
            pieces.append((times, values, sizes))
    times, values, sizes = zip(*pieces, strict=True)
    return np.concatenate(times), np.concatenate(values, axis=1), np.concatenate(sizes, axis=1)


def crossing(times: np.ndarray, values: np.ndarray, argument: Callable[[float], float]) -> float | None:
    """When an argument, of such values (n,), changes its sign first; None if it does not."""
    apart = np.flatnonzero(values)
    changes = np.flatnonzero(np.diff(np.sign(values[apart])))
    if not len(changes):
        return None
    left, right = (float(times[apart[changes[0] + shift]]) for shift in (0, 1))
    if not left < right:
        return left
    # Near time zero halving goes on for long; where rounding hides the place, any in between will do.
    found: Any = brentq(
        argument,
        left,
        right,
        xtol=1e-300,
        rtol=4 * np.finfo(np.float64).eps,
        maxiter=MOST_HALVINGS,
        disp=False,
    )
    return float(found)


def touching(times: np.ndarray, values: np.ndarray, argument: Callable[[float], float]) -> float | None:
    """When an argument is least, if this is near to zero and not where the step begins or ends."""
    place = int(np.abs(values).argmin())
    least, most = np.abs(values[place]), np.abs(values).max()
    if place in (0, len(times) - 1) or least > NEAR * most:
        return None
    left, right = float(times[place - 1]), float(times[place + 1])
    found: Any = minimize_scalar(
        lambda time: abs(argument(time)),
        bounds=(left, right),
        method="bounded",
        options={"xatol": 1e-12 * (right - left)},
    )
    return float(found.x)
