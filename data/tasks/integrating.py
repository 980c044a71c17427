"""Trajectories of a learned vector field, each as exact as it is asked for."""

import warnings
from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp

# Slopes of all trajectories together that one integration may ask for, for each point of the grid: a field that takes
# more is lost on its way.
MOST_SLOPES = 2_000
# The method does not reach more than this.
SMALLEST_TOLERANCE = 1e-13


class _LostError(Exception):
    """The field asks for too many steps."""


def integrate(
    field: Callable[[np.ndarray, np.ndarray], np.ndarray],
    starts: np.ndarray,
    times: np.ndarray,
    tolerance: float,
) -> np.ndarray:
    """Trajectories of x' = f(x), by the method of order eight of Dormand and Prince (doi:10.1007/978-3-540-78862-1).

    They are integrated together, and by halves where one of them stops the others.

    Args:
        field: Slopes (n, D) at states (n, D) of the trajectories whose numbers are (n,).
        starts: (N, D) float64.
        times: (T,) after the start or, if they are negative, before it; each further than that before.
        tolerance: The largest error of a step, relative to the state and, near zero, to the largest of the starts.

    Returns:
        (N, T, D); NaN from where a trajectory cannot be followed any further.
    """
    found = np.full((len(starts), len(times), starts.shape[1]), np.nan)
    size = float(np.abs(starts).max(initial=0.0)) or 1.0
    waiting = [np.arange(len(starts))] if len(starts) else []
    while waiting:
        rows = waiting.pop()
        states, whole = _together(lambda x, rows=rows: field(x, rows), starts[rows], times, tolerance, size)
        if whole or len(rows) == 1:
            found[rows, : states.shape[1]] = states
        else:
            waiting += np.array_split(rows, 2)
    return found


def _together(
    field: Callable[[np.ndarray], np.ndarray],
    starts: np.ndarray,
    times: np.ndarray,
    tolerance: float,
    size: float,
) -> tuple[np.ndarray, bool]:
    """States (n, T', D) as far as they came, T' <= T, and whether that is to the end."""
    left = MOST_SLOPES * len(times)

    def slopes(_: float, laid: np.ndarray) -> np.ndarray:
        nonlocal left
        left -= 1
        if left < 0:
            raise _LostError
        return field(laid.reshape(starts.shape)).ravel()

    # The error of a step is a mean over all trajectories; each of them is to be as exact by itself.
    each = max(SMALLEST_TOLERANCE, tolerance / np.sqrt(len(starts)))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            solved = solve_ivp(
                slopes,
                (0.0, float(times[-1])),
                starts.ravel(),
                "DOP853",
                t_eval=times,
                rtol=each,
                atol=each * size,
            )
        except _LostError:
            return np.empty((len(starts), 0, starts.shape[1])), False
    states = solved.y.T.reshape(-1, *starts.shape).transpose(1, 0, 2)
    whole = solved.status == 0 and bool(np.isfinite(states).all())
    return states, whole
