"""heyoka's side of branches: which rows came to a place where their Taylor series say nothing of what follows.

Where the argument of a root touches zero, as that of `sqrt(1 - cos(t))` does, a series goes on along the wrong branch
without a sign of it: its steps must be looked at between their ends. Before a pole steps shrink without end, but
rounding may carry one over it. Rows that may have come near are told by what costs little; these are integrated once
more, to the same bits, and each of their steps is looked at.
"""

from collections.abc import Callable, Sequence
from typing import Any

import heyoka
import numpy as np
import sympy

from ..kinks.branches import Branch, Kind, branches
from ..kinks.pieces import Pieces

# An argument that falls below this part of its first value has come near to zero.
NEAR = 1e-3
# Steps that are shorter than this part of the longest one, or that one of the time, may be those before a pole.
SHORT, SHORTER = 1e-6, 1e-12
# heyoka chooses steps by what it follows, events included: so small, they never decide.
UNSEEN = 1e-100
# No legitimate step of a series goes so near to a branch, relative to what the argument is elsewhere in it.
TOUCHED = 1e-3
# That argument at the points below, where it touches zero between them.
PERHAPS = 0.05
# Where an argument falls to this part of what it was, and steps to that of the longest one, a root ends.
STUCK = 1e-8
# So near to zero, relative to the terms of the argument, rounding hides on which side it is.
HIDDEN = 1e-13
# Points of a step at which its arguments are looked at.
POINTS = (1 - np.cos(np.linspace(0, np.pi, 33))) / 2


class Guards:
    """The branches of a system's equations, of which there is at least one.

    events  where an argument comes near to zero, whose levels are the last of the compiled equations' parameters
    """

    def __init__(
        self, pieces: Pieces, found: Sequence[Branch], convert: Callable[[sympy.Expr], Any], own: int
    ) -> None:
        # The parameters that are the system's own, then sides and a mode if there are any, then levels.
        self._own, self._sides = own, slice(own, own + len(pieces.sides))
        first = own + (len(pieces.sides) + 1 if pieces.sides else 0)
        # Of a pole itself the steps tell; not of what is finite there.
        watched = [branch for branch in found if branch.kind is not Kind.POLE or branch.inside]
        # heyoka warns of rows that have failed, which their status says.
        heyoka.set_logger_level_error()
        self.roots = len(watched)
        self.poles = len(found) > len(watched)
        # heyoka takes a power whose exponent is no number by a logarithm.
        self._positive = [
            number
            for number, branch in enumerate(watched)
            if branch.kind is Kind.ROOT or (branch.exponent is not None and not branch.exponent.is_number)
        ]
        self.levels = slice(first, first + len(watched))
        ordered = [*watched, *(branch for branch in found if branch not in watched)]
        terms = [list(sympy.Add.make_args(branch.argument)) for branch in ordered]
        self._arguments = pieces.function([branch.argument for branch in ordered], "scipy")
        self._terms = pieces.function(terms, "scipy")
        self.events = [
            heyoka.nt_event_batch(
                UNSEEN * (convert(branch.argument) - heyoka.par[first + number]),
                callback=_lowering(first + number),
            )
            for number, branch in enumerate(watched)
        ]

    @staticmethod
    def of(pieces: Pieces, convert: Callable[[sympy.Expr], Any], own: int) -> "Guards | None":
        """Those of a system's pieces, with `own` parameters; None if its equations have no branches."""
        found = branches([*pieces.field, *pieces.surfaces], pieces.variables)
        # Of a `sign` its factors are left there, and not the roots among them.
        found += [
            branch
            for branch in branches(pieces.system.vector_field, pieces.variables)
            if not (branch.kind is Kind.KINK or branch.argument.has(sympy.Abs, sympy.sign))
            and branch.argument not in [known.argument for known in found]
        ]
        return Guards(pieces, found, convert, own) if found else None

    def begin(self, integrator: Any, closely: bool) -> "Near | Watch":
        """Watch the lanes from here on, where states and parameters are set: cheaply, or `closely` at each step."""
        if not closely and not self.roots:
            return Near(self, integrator)
        values, sizes = self.values(integrator.time, integrator.state, integrator.pars, closely)
        # What begins beyond is at a branch, too: a `sign` may hide that it has no value.
        values[self._positive] = np.maximum(values[self._positive], 0.0)
        levels = NEAR * values[: self.roots]
        integrator.pars[self.levels] = np.where(np.isfinite(levels), levels, 0.0)
        return Watch(self, integrator, values, sizes) if closely else Near(self, integrator)

    def values(
        self, times: np.ndarray, states: np.ndarray, pars: np.ndarray, sizes: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Arguments and what their terms add up to in absolute value, (branches, ...), where states are (D, ...)."""
        shape, columns = states.shape[1:], (times, states, pars[: self._own], pars[self._sides])
        with np.errstate(all="ignore"):
            arguments = [np.broadcast_to(each, shape) for each in self._arguments(*columns)]
            terms = self._terms(*columns) if sizes else []
            added = [sum(np.abs(np.broadcast_to(term, shape)) for term in each) for each in terms]
        return np.array(arguments), np.array(added)


class Near:
    """Tells which `lanes` may have come near to a root's end, and which to a `pole`."""

    callbacks = ((), ())

    def __init__(self, guards: Guards, integrator: Any) -> None:
        self._guards = guards
        self._levels = integrator.pars[guards.levels].copy()
        self.lanes = np.asarray((self._levels == 0).any(axis=0))
        self.poles = np.zeros(len(self.lanes), dtype=bool)

    def note(self, integrator: Any) -> None:
        """After each call of heyoka's."""
        self.lanes |= (integrator.pars[self._guards.levels] != self._levels).any(axis=0)
        if self._guards.poles:
            results = integrator.propagate_res
            least, last = min(result[1] for result in results), max(result[2] for result in results)
            if not least > max(SHORT * last, SHORTER * np.abs(integrator.time).max()):
                shortest, longest = np.array([result[1:3] for result in results]).T
                self.poles |= ~(shortest > np.maximum(SHORT * longest, SHORTER * np.abs(integrator.time)))


class Watch:
    """Looks at each step, and tells which `lanes` came to a branch."""

    poles = None

    @property
    def callbacks(self) -> tuple[Sequence[Callable[[Any], bool]], Sequence[Callable[[Any], bool]]]:
        """What heyoka calls after each step, before and after what others do there."""
        return (self._look,), (self._take,)

    def __init__(self, guards: Guards, integrator: Any, values: np.ndarray, sizes: np.ndarray) -> None:
        self._guards = guards
        self._pars = integrator.pars.copy()
        self._signs = np.sign(values)[:, None]
        self._most = np.abs(values[: guards.roots])
        self._longest = np.zeros(len(integrator.time))
        self.lanes = np.asarray((np.abs(values) <= HIDDEN * sizes).any(axis=0))

    def note(self, integrator: Any) -> None:
        """After each call of heyoka's."""

    def _take(self, integrator: Any) -> bool:
        # Sides and scales change at the end of a step.
        self._pars = integrator.pars.copy()
        return True

    def _look(self, integrator: Any) -> bool:
        width, coefficients = integrator.last_h, integrator.tc
        since = POINTS[:, None] * width
        states = np.repeat(coefficients[:, -1, None], len(POINTS), axis=1)
        with np.errstate(all="ignore"):
            for order in range(coefficients.shape[1] - 2, -1, -1):
                states = states * since + coefficients[:, order, None]
            times = integrator.time - width + since
            values, sizes = self._guards.values(times, states, self._pars[:, None])
            values *= self._signs
            hidden = (values <= HIDDEN * sizes).any(axis=1)
            roots = values[: self._guards.roots]
            touched = roots.min(axis=1) <= PERHAPS * roots.max(axis=1)
            if touched.any():
                touched &= _least(roots) <= TOUCHED * roots.max(axis=1)
            longest = self._longest = np.maximum(self._longest, np.abs(width))
            self._most = np.maximum(self._most, roots.max(axis=1))
            ends = (roots[:, -1] <= STUCK * self._most).any(axis=0) & (np.abs(width) <= STUCK * longest)
        self.lanes |= (width != 0) & (hidden.any(axis=0) | touched.any(axis=0) | ends)
        # There is nothing to look for once all came to a branch.
        return not self.lanes.all()


def _least(values: np.ndarray) -> np.ndarray:
    """The least (branches, lanes) of what passes through values (branches, points, lanes), by parabolas."""
    place = np.clip(values.argmin(axis=1, keepdims=True), 1, len(POINTS) - 2)
    one, two, three = (np.take_along_axis(values, place + shift, axis=1)[:, 0] for shift in (-1, 0, 1))
    a, b = (POINTS[place + shift][:, 0] - POINTS[place][:, 0] for shift in (-1, 1))
    slope_a, slope_b = (one - two) / a, (three - two) / b
    curvature = (slope_b - slope_a) / (b - a)
    slope = slope_a - curvature * a
    turning = -slope / (2 * curvature)
    inside = (curvature > 0) & (turning >= a) & (turning <= b)
    lowest = two - np.where(inside, slope * slope / (4 * curvature), 0.0)
    return np.fmin(values.min(axis=1), lowest)


def _lowering(number: int) -> Callable[..., None]:
    # A function without an object, for an integrator is copied with what hangs on it.
    def callback(integrator: Any, time: float, direction: int, lane: int) -> None:
        integrator.pars[number, lane] /= 2

    return callback
