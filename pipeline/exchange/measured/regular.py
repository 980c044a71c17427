"""Times that are regular but for the rounding with which a file gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

# Decimals that are looked for; more of them are no rounding.
DECIMALS = 12
# A step is so many times as long as the last digit, at the least: else a sample that is left out looks like rounding.
STEP_DIGITS = 3
# What arithmetic adds to a deviation, in parts of the last digit.
SLACK = 1e-3


@dataclass(frozen=True)
class Regular:
    """Times first + k * step. `last_digit`: how far each may lie from what the file says."""

    step: Fraction
    last_digit: float


def last_digits(times: np.ndarray) -> tuple[float, float]:
    """To which part of their unit times are given, by their type, float32 or float64, and by their decimals, too."""
    finite = times[np.isfinite(times)].reshape(-1)
    if not finite.size:
        return 0.0, 0.0
    coarse = float(np.spacing(np.abs(finite).max()))
    values = finite.astype(np.float64)
    for decimals in range(DECIMALS + 1):
        with np.errstate(over="ignore"):
            # Few values tell what most numbers of decimals are not.
            same = all((np.round(some, decimals) == some).all() for some in (values[:100], values))
        if same:
            return coarse, max(10.0**-decimals, coarse)
    return coarse, coarse


def regular(series: Sequence[np.ndarray], digits: Sequence[tuple[float, float]]) -> Regular | None:
    """The one step of several series of times, each given to its last digits; None if they have none.

    It is the simplest fraction (that of the smallest denominator) with which each time is within one last digit of
    first + k * step. Whatever was left out or is irregular by more than that makes it None.
    """
    # Times that are regular to their type need no coarser look, which would take their own decimals for rounding.
    return next(filter(None, (_regular(series, some) for some in zip(*digits, strict=True))), None)


def _regular(series: Sequence[np.ndarray], digits: Sequence[float]) -> Regular | None:
    low, high = 0.0, np.inf
    allowed = [digit * (1 + SLACK) for digit in digits]
    for times, digit in zip(series, allowed, strict=True):
        if len(times) < 2:
            continue
        number = np.arange(1, len(times))
        since = times[1:] - times[0]
        low = max(low, float(((since - digit) / number).max()))
        high = min(high, float(((since + digit) / number).min()))
    if not 0 < low <= high < np.inf or low < STEP_DIGITS * max(allowed):
        return None
    step = simplest(Fraction(low), Fraction(high))
    for times, digit in zip(series, allowed, strict=True):
        if (np.abs(np.diff(times) - float(step)) > digit).any():
            return None
    return Regular(step, max(allowed))


def simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of the smallest denominator within 0 < low <= high."""
    whole = low.numerator // low.denominator
    if whole == low:
        return Fraction(whole)
    if whole + 1 <= high:
        return Fraction(whole + 1)
    return whole + 1 / simplest(1 / (high - whole), 1 / (low - whole))
