"""The classic method of order four, by which fields that are learned are followed from point to point."""

from collections.abc import Callable

from torch import Tensor


def kutta_step(slope: Callable[[Tensor], Tensor], state: Tensor, size: float = 1.0) -> Tensor:
    """States (..., D) a step later: Kutta (1901), Z. Math. Phys. 46, 435.

    Args:
        slope: dx/dt (..., D) of states (..., D).
        state: (..., D).
        size: Of the step, in units of time.
    """
    first = slope(state)
    second = slope(state + size / 2 * first)
    third = slope(state + size / 2 * second)
    fourth = slope(state + size * third)
    return state + size / 6 * (first + 2 * (second + third) + fourth)
