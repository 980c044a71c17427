"""The absolute tolerance of SciPy's solvers: as stated, or of each component by its own size along the row."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy import integrate
from scipy.integrate import OdeSolver

# One tolerance for all, as parts of 1, is right for components that are no smaller than the first on the way, and
# than the second in the end.
LEAST_ON_THE_WAY, LEAST = 2.0**-10, 2.0**-4
# Steps that are looked at together.
TOGETHER = 256
# Of the time in which the quickest component changes by as much as itself, or of the whole: the way that tells how
# large components become that begin at 0.
FIRST = 2.0**-10
# How often that is shortened, while slopes still change by as much as themselves.
SHORTER = 30
# Of the largest, where a component does not even then move: relative control alone is left to it.
NOTHING = 1e-30
# A component that cannot be followed while it is small is held to this part of its largest value along the row.
AT_REST = 2.0**-10


Field = Callable[[float, np.ndarray], Any]


class UnevenError(Exception):
    """A row with components so small that one absolute tolerance is too rough for them."""


class Stated:
    """What the user states: a number, in the units of the states."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance: float | np.ndarray = tolerance

    def begin(self, field: Field, times: np.ndarray, state: np.ndarray) -> None:
        """Before a row sets out from a state along a grid, by x' = field(t, x)."""

    def step(self, state: np.ndarray) -> None:
        """After each step to a state."""


class Even(Stated):
    """The same number for all components; raises UnevenError on the way of a row for which that is not right."""

    def __init__(self, tolerance: float) -> None:
        super().__init__(tolerance)
        self._sizes, self._passed = np.zeros(0), list[np.ndarray]()

    def begin(self, field: Field, times: np.ndarray, state: np.ndarray) -> None:
        self._sizes, self._passed = np.abs(state), []

    def step(self, state: np.ndarray) -> None:
        # Many at once, which takes a tenth of the time.
        self._passed.append(state.copy())
        if len(self._passed) == TOGETHER:
            self._look()

    def _look(self) -> None:
        if self._passed:
            sizes = np.abs([self._sizes, *self._passed])
            sizes = np.fmax.accumulate(sizes, axis=0)[1:]
            self._passed, self._sizes = [], sizes[-1]
            if _small(sizes, LEAST_ON_THE_WAY):
                raise UnevenError

    @property
    def sizes(self) -> np.ndarray:
        """The largest value (D,) of each component so far."""
        return self._sizes

    @property
    def even(self) -> bool:
        """Was it right for the row?"""
        try:
            self._look()
        except UnevenError:
            return False
        return not _small(self._sizes, LEAST)


def _small(sizes: np.ndarray, least: float) -> bool:
    # What has been 0 all the time had no errors.
    return bool(((sizes < least) & (sizes > 0)).any())


class ByComponent(Stated):
    """A part of the largest value that each component has had so far.

    SciPy's solvers look at the same array again at each step.

    least  (D,) sizes that components have at least, or a number
    """

    def __init__(self, relative: float, least: np.ndarray | float = 0.0) -> None:
        super().__init__(relative)
        self._relative, self._least = relative, least

    def begin(self, field: Field, times: np.ndarray, state: np.ndarray) -> None:
        first = _first_sizes(field, float(times[0]), state, float(times[-1] - times[0]))
        self._sizes = np.fmax(first, self._least)
        self._own = self._relative * self._sizes
        self.tolerance = self._own

    def step(self, state: np.ndarray) -> None:
        np.fmax(self._sizes, np.abs(state), out=self._sizes)
        np.multiply(self._relative, self._sizes, out=self._own)


@cache
def watched(method: str) -> type[OdeSolver]:
    """A solver of that name, for solve_ivp, which tells its `control` of each step."""

    class Watched(getattr(integrate, method)):
        def __init__(self, *arguments: Any, control: Stated, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._control = control

        def _step_impl(self) -> tuple[bool, str | None]:
            done, message = super()._step_impl()
            if done:
                self._control.step(self.y)
            return done, message

    return Watched


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
