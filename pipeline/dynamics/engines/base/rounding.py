"""What rounding leaves of the terms of equations: where they cancel it may be more than their difference."""

from typing import Any

import numpy as np
import sympy

from ...systems import System
from ...systems.real_calculus import absolute

# Of the terms of an equation, added up, in units in the last place.
ROUNDING = 64 * np.finfo(np.float64).eps
# So many components, one after the other, may be nothing but what rounding leaves of the one before.
DEEP = 3


class Terms:
    """The slopes of a system, not a spatial one, whose equations are in another space, and their terms."""

    def __init__(self, system: System) -> None:
        fields = list(system.vector_field)
        self._function = system.function([*fields, *map(terms_of, fields)], "numpy")
        self._late = [one.component for one in getattr(system, "delayed", ())]

    def __call__(
        self, times: np.ndarray, states: np.ndarray, parameters: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slopes, and their terms without signs added up, (K, n, S), at times (n,), states and parameters (K, P).

        What a delay equation mentions of the past is taken to be about as large as now.
        """
        x = [states[..., component] for component in range(states.shape[2])]
        found = self._function(
            times[None],
            [*x, *(x[component] for component in self._late)],
            [column[:, None] for column in parameters.T],
        )
        values = np.stack([np.broadcast_to(np.asarray(each, np.float64), states.shape[:2]) for each in found])
        slopes, terms = np.split(np.moveaxis(values, 0, 2), 2, axis=2)
        return slopes, terms


def rounded(terms: Terms, times: np.ndarray, states: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """What rounding may leave in components (K, D) of rows (K, n, D) at times (n,), its way into others included."""
    duration = times[-1] - times[0]
    with np.errstate(all="ignore"):
        slopes, sizes = terms(times, states, parameters)
        made = ROUNDING * duration * sizes.max(axis=1)
        left = made
        for _ in range(min(states.shape[2], DEEP)):
            carried = np.zeros_like(made)
            for component in range(states.shape[2]):
                beside = states.copy()
                beside[:, :, component] += left[:, None, component]
                carried += duration * np.abs(terms(times, beside, parameters)[0] - slopes).max(axis=1)
            left = made + carried
    return left


def terms_of(expression: sympy.Expr) -> Any:
    """The terms of a sum without their signs, added up: what it is rounded by goes with them."""
    if isinstance(expression, sympy.Add | sympy.Mul):
        return expression.func(*map(terms_of, expression.args))
    return absolute(expression)
