"""Where a function along a step first leaves the side of zero on which it should be."""

from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev
from scipy.optimize import brentq

# A multiple of every SIMD width, so that each row takes the same way through the processor.
SAMPLES = 32
# From the start of a step to its end, denser at both.
PLACES = (1 - np.cos(np.pi * np.arange(SAMPLES) / (SAMPLES - 1))) / 2
_COEFFICIENTS = np.linalg.inv(chebyshev.chebvander(2 * PLACES - 1, SAMPLES - 1))
# A polynomial through the samples is the function if its last coefficients are so small beside the others.
RESOLVED = 1e-7
# A function whose samples are all above this part of the largest has no zero between them.
CLEAR = 0.25
# One that comes this near to zero, in parts of the largest, and turns may have crossed it, or not.
DOUBTFUL = 1e-9


class UnresolvedError(Exception):
    """The step is too long to tell."""


class DoubtfulError(Exception):
    """Zero is touched so closely that rounding decides whether it is crossed."""


def first_crossing(
    samples: np.ndarray, function: Callable[[float], float], *, noise: float, doubts: bool
) -> float | None:
    """The first place in (0, 1] at which a function becomes negative; None if it does not.

    samples   of the function at PLACES
    function  the same, of one place
    noise     so far below zero it may be by rounding
    doubts    is it an error if it comes close to zero and turns?

    Raises UnresolvedError or DoubtfulError.
    """
    largest, least = samples.max(), samples.min()
    coefficients = _resolved(samples, noise)
    if least > CLEAR * largest:
        return None
    turns = _turns(coefficients)
    places = np.concatenate([PLACES, turns])
    values = np.concatenate([samples, [function(place) for place in turns]])
    order = np.argsort(places, kind="stable")
    places, values = places[order], values[order]
    below = np.flatnonzero(values < -noise)
    if doubts:
        turning = np.flatnonzero(order >= SAMPLES)
        near = turning[np.abs(values[turning]) <= DOUBTFUL * np.abs(samples).max() + noise]
        if len(near) and (not len(below) or near[0] < below[0]):
            raise DoubtfulError
    if not len(below):
        return None
    above = np.flatnonzero(values[: below[0]] > 0)
    if not len(above):
        # It leaves zero to the wrong side.
        raise UnresolvedError
    bracket = places[above[-1]], places[below[0]]
    return brentq(function, *bracket, xtol=1e-16, rtol=np.float64(1e-15), full_output=True, disp=False)[0]


def nearest_turn(samples: np.ndarray, *, noise: float, depth: float) -> float | None:
    """The first place at which a function turns upwards at less than `depth` of its largest value.

    Raises UnresolvedError.
    """
    if not noise / depth < np.abs(samples).max() or not samples.min() < depth * np.abs(samples).max():
        return None
    coefficients = _resolved(samples, noise)
    for place in _turns(coefficients):
        value = chebyshev.chebval(2 * place - 1, coefficients)
        upwards = chebyshev.chebval(2 * place - 1, chebyshev.chebder(coefficients, 2)) > 0
        if upwards and value < depth * np.abs(samples).max():
            return float(place)
    return None


def _resolved(samples: np.ndarray, noise: float) -> np.ndarray:
    """Chebyshev's coefficients of the polynomial through samples."""
    coefficients = _COEFFICIENTS @ samples
    if not np.abs(coefficients[-3:]).max() <= RESOLVED * np.abs(coefficients).max() + noise:
        raise UnresolvedError
    return coefficients


def _turns(coefficients: np.ndarray) -> np.ndarray:
    """Places inside (0, 1) at which the derivative is zero, in order."""
    slope = chebyshev.chebder(coefficients)
    significant = np.flatnonzero(np.abs(slope) > 1e-13 * np.abs(slope).max())
    if not len(significant) or significant[-1] == 0:
        return np.zeros(0)
    roots = chebyshev.chebroots(slope[: significant[-1] + 1])
    places = (roots[np.abs(roots.imag) < 1e-6].real + 1) / 2
    return np.sort(places[(places > 0) & (places < 1)])
