"""The absolute tolerance of SciPy's solvers: as stated, or of each component by its own size along the row."""

from collections.abc import Callable
from typing import Any

import numpy as np

# One tolerance for all, as parts of 1, is right for components that are no smaller than the first on the way, and
# than the second in the end.
LEAST_ON_THE_WAY, LEAST = 2.0**-10, 2.0**-4
# Of the time in which the quickest component changes by as much as itself, or of the whole: the way that tells how
# large components become that begin at 0.
FIRST = 2.0**-10
# How often that is shortened, while slopes still change by as much as themselves.
SHORTER = 30
# Of the largest, where a component does not even then move: relative control alone is left to it.
NOTHING = 1e-30


Field = Callable[[float, np.ndarray], Any]


class UnevenError(Exception):
    """A row with components so small that one absolute tolerance is too rough for them."""


class Stated:
    """What the user states: a number, in the units of the states."""

    even = True

    def __init__(self, tolerance: float) -> None:
        self.tolerance: float | np.ndarray = tolerance

    def begin(self, field: Field, times: np.ndarray, state: np.ndarray) -> None:
        """Before a row sets out from a state along a grid, by x' = field(t, x)."""

    def __call__(self, time: float, state: np.ndarray) -> float:
        """An event that never happens; SciPy asks for it at the start and after each step."""
        return 1.0


class Even(Stated):
    """The same number for all components; raises UnevenError on the way of a row for which that is not right."""

    def __init__(self, tolerance: float) -> None:
        super().__init__(tolerance)
        self._sizes: np.ndarray | None = None

    def __call__(self, time: float, state: np.ndarray) -> float:
        if self._sizes is None:
            # A component may begin at 0.
            self._sizes = np.abs(state)
        else:
            np.fmax(self._sizes, np.abs(state), out=self._sizes)
            if self._small(LEAST_ON_THE_WAY):
                raise UnevenError
        return 1.0

    def _small(self, least: float) -> bool:
        # What has been 0 all the time had no errors.
        return self._sizes is not None and bool(((self._sizes < least) & (self._sizes > 0)).any())

    @property
    def even(self) -> bool:
        """Was it right for the row?"""
        return not self._small(LEAST)


class ByComponent(Stated):
    """A part of the largest value that each component has had so far.

    SciPy's solvers look at the same array again at each step.
    """

    def __init__(self, relative: float) -> None:
        super().__init__(relative)
        self._relative = relative

    def begin(self, field: Field, times: np.ndarray, state: np.ndarray) -> None:
        self._sizes = _first_sizes(field, float(times[0]), state, float(times[-1] - times[0]))
        self._own = self._relative * self._sizes
        self.tolerance = self._own

    def __call__(self, time: float, state: np.ndarray) -> float:
        np.fmax(self._sizes, np.abs(state), out=self._sizes)
        np.multiply(self._relative, self._sizes, out=self._own)
        return 1.0


def _first_sizes(field: Field, time: float, state: np.ndarray, duration: float) -> np.ndarray:
    """Sizes (D,) above 0 of the components of a row that begins at a state, from a step that is short for all."""

    def slope(late: float, after: np.ndarray) -> np.ndarray:
        return np.array(field(time + late, after), dtype=np.float64)

    sizes = np.abs(state)
    first = slope(0.0, state)
    quick = (sizes > 0) & (np.abs(first) > 0)
    step = FIRST * min(duration, np.min(sizes[quick] / np.abs(first[quick]), initial=np.inf))
    for _ in range(SHORTER):
        middle = slope(step / 2, state + step / 2 * first)
        again = slope(step / 2, state + step / 2 * middle)
        last = slope(step, state + step * again)
        if (np.abs(last - first)[first != 0] <= np.abs(first[first != 0])).all():
            sizes = np.fmax(sizes, np.abs(state + step / 6 * (first + 2 * middle + 2 * again + last)))
            break
        step /= 8
    return np.where(sizes > 0, sizes, NOTHING * (sizes.max() or 1.0))
