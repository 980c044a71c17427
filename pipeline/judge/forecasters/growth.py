"""How fast two runs of a forecaster part that are next to each other."""

from typing import Any, Protocol

import numpy as np

# Relative to what is carried along: small beside it, large beside the rounding of float64.
APART = 1e-7
# Advances over which the direction turns to the one that grows fastest, and those that are measured, at most.
TURNING, MEASURED = 200, 10_000
SEED = 1980


class Stepping(Protocol):
    """A forecaster that tells what it carries along from step to step, in float64."""

    @property
    def stride(self) -> int:
        """Sampling steps in each advance."""
        ...

    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        """From histories (N, W, D) in raw units, parameters (N, P): arrays of N entries each."""
        ...

    def advance(self, carry: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """The next states (N, D), and what is carried along from there."""
        ...


def exponents(
    forecaster: Stepping, history: np.ndarray, parameters: np.ndarray, step: float, samples: int
) -> np.ndarray:
    """The largest Lyapunov exponent (N,), a unit of time, from histories (N, W, D); NaN of runs that end.

    step     time from sample to sample
    samples  over which it is measured, at most, after some advances in which the direction settles
    """
    carry = forecaster.begin(history, parameters)
    # Known only now: a window at once is many samples.
    advances = max(1, min(MEASURED, samples) // forecaster.stride)
    generator = np.random.default_rng(SEED)
    # What never changes, such as parameters, is not to be disturbed: it is told from the rest by the first advance.
    _, after = forecaster.advance(carry)
    changes = [not np.array_equal(one, other) for one, other in zip(carry, after, strict=True)]
    moved = [part for part, change in zip(carry, changes, strict=True) if change]
    size = np.sqrt(sum(np.square(part.reshape(len(part), -1)).sum(axis=1) for part in moved))
    apart = APART * np.where(size > 0, size, 1.0)
    beside = tuple(
        part + _shaped(apart, part) * generator.standard_normal(part.shape) if change else part
        for part, change in zip(carry, changes, strict=True)
    )
    growth = np.zeros(len(history))
    with np.errstate(all="ignore"):
        beside, _ = _brought_near(carry, beside, changes, apart)
        for number in range(TURNING + advances):
            _, carry = forecaster.advance(carry)
            _, beside = forecaster.advance(beside)
            beside, length = _brought_near(carry, beside, changes, apart)
            sound = np.isfinite(length) & (length > 0)
            if not sound.all():
                # What has ended stays NaN; the others go on.
                growth[~sound] = np.nan
                if np.isnan(growth).all():
                    break
                beside = _replaced(beside, carry, ~sound)
            if number >= TURNING:
                growth += np.log(length / apart)
    found = growth / (advances * forecaster.stride * step)
    return np.where(np.isfinite(found), found, np.nan)


def _replaced(beside: tuple[Any, ...], carry: tuple[Any, ...], lost: np.ndarray) -> tuple[Any, ...]:
    """The same, but for lost runs, which lie on the others and so are told as lost again."""
    return tuple(np.where(_shaped(lost, one), one, other) for one, other in zip(carry, beside, strict=True))


def _shaped(values: np.ndarray, part: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *(1,) * (part.ndim - 1))


def _brought_near(
    carry: tuple[Any, ...], beside: tuple[Any, ...], changes: list[bool], apart: np.ndarray
) -> tuple[tuple[Any, ...], np.ndarray]:
    """The other runs at the distance `apart` (N,) in the direction in which they are, and how far they were."""
    gaps = [other - one for one, other, change in zip(carry, beside, changes, strict=True) if change]
    length = np.sqrt(sum(np.square(gap.reshape(len(gap), -1)).sum(axis=1) for gap in gaps))
    ratio = apart / length
    return (
        tuple(
            one + _shaped(ratio, one) * (other - one) if change else other
            for one, other, change in zip(carry, beside, changes, strict=True)
        ),
        length,
    )
