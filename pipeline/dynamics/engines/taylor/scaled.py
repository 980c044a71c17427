"""heyoka's side of rows whose components differ much in size, or are far from 1: each in a scale of its own.

heyoka controls the largest component, and below 1 its absolute error. So what it integrates here is y = x/s, where s
is a power of two near the largest x so far, and grows with it: each component is then near 1.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

from ...systems import System
from ..base.scales import powers
from .batches import Batches

# A component that has grown beyond so many times its scale gets a new one.
GROWN = 8.0
# So much less than after the first step a component may be at its start, for its scale to begin there.
BEGINNING = 2.0**-16
# This part of the largest is as good as none, and one over it might overflow.
NOTHING = 2.0**-400


class Scales:
    """A system in scaled states, whose scales are parameters of each row after those of the system.

    Of the parameters an engine keeps those alone that the equations mention, in their order.

    system    y' = f(s*y)/s; its states have their old names
    unscaled  x' = f(x)
    """

    def __init__(self, system: System) -> None:
        size = len(system.states)
        scales, inverses = (
            [sympy.Symbol(f"{kind}({name})", positive=True) for name in system.states]
            for kind in ("scale", "inverse")
        )
        measured = {
            symbol: scale * symbol for symbol, scale in zip(system.state_symbols, scales, strict=True)
        }
        self.unscaled, self.system = system, copy.copy(system)
        field = [
            expression.xreplace(measured) * inverse
            for expression, inverse in zip(system.vector_field, inverses, strict=True)
        ]
        self.system.__dict__.update(
            _parsed=tuple(field),
            parameter_symbols=(*system.parameter_symbols, *scales, *inverses),
            units=dict(zip(scales, inverses, strict=True)),
        )
        self.system.__dict__.pop("jacobian", None)
        mentioned = {symbol for expression in field for symbol in expression.free_symbols}
        columns = [
            number for number, symbol in enumerate(self.system.parameter_symbols) if symbol in mentioned
        ]
        # Where heyoka keeps the scale of each component, and one over it.
        own = len(system.parameters)
        kept = {column - own: place for place, column in enumerate(columns)}
        self._scales = [(number, kept[number]) for number in range(size) if number in kept]
        self._inverses = [(number, kept[size + number]) for number in range(size) if size + number in kept]
        self._size = size
        moving = {number for number, _ in (*self._scales, *self._inverses)}
        self._idle = [number for number in range(size) if number not in moving]

    def begin(self, rows: Batches, begun: np.ndarray) -> Batches:
        """The same rows in scaled states; `begun` (N, D) are their states after the first step."""
        with np.errstate(invalid="ignore"):
            sizes = np.fmax(np.abs(rows.starts), BEGINNING * np.abs(begun.T))
            scales = powers(np.fmax(sizes, NOTHING * sizes.max(axis=0)))
        starts = rows.starts / scales
        # What stands still and is never mentioned would only be in the way.
        starts[self._idle] = 0.0
        scales = (
            scales[[number for number, _ in self._scales]],
            1 / scales[[number for number, _ in self._inverses]],
        )
        return Batches.of(starts, np.concatenate([rows.parameters, *scales]), rows.times)

    def end(self, scaled: Batches, starts: np.ndarray) -> np.ndarray:
        """States (N, T, D) of rows that began at `starts` (D, N)."""
        scaled.states[:, :, self._idle] = starts[self._idle].T[:, None]
        return scaled.states

    def of(self, integrator: Any) -> np.ndarray:
        """The scales (D, lanes) as they are now; 1 where none matters."""
        scales = np.ones((self._size, integrator.state.shape[1]))
        for number, place in self._inverses:
            scales[number] = 1 / integrator.pars[place]
        for number, place in self._scales:
            scales[number] = integrator.pars[place]
        return scales

    def along(
        self, integrator: Any, grid: np.ndarray, go: Callable[[Callable[[Any], bool]], np.ndarray]
    ) -> np.ndarray:
        """States (T, D, lanes) on a grid (T, lanes).

        go  gives scaled ones, and calls what it is given after each step
        """
        scales, changes = self.of(integrator), []

        def watch(integrator: Any) -> bool:
            sizes = np.abs(integrator.state)
            grown = (sizes > GROWN) & (sizes < np.inf)
            if grown.any():
                factors = np.where(grown, powers(sizes), 1.0)
                integrator.state[:] /= factors
                for number, place in self._scales:
                    integrator.pars[place] *= factors[number]
                for number, place in self._inverses:
                    integrator.pars[place] /= factors[number]
                changes.append((*(part.copy() for part in integrator.dtime), factors))
            return True

        values = go(watch)
        along = np.broadcast_to(scales, values.shape).copy()
        for time, rest, factors in changes:
            # What lies in the step that ended there was given in the scales of its start; so was the end of the grid,
            # at which the last step ends by definition, though by some 1e-20 before or behind it.
            later = (grid > time) | ((grid == time) & (rest < 0) & (grid < grid[-1]))
            along *= np.where(later[:, None, :], factors, 1.0)
        return values * along
