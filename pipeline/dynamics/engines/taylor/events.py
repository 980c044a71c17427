"""heyoka's side of equations with kinks and jumps: its steps end on each surface, and the next piece follows.

Sides and mode of `switching` are parameters of the compiled equations, a number for each lane.
"""

from collections.abc import Callable
from typing import Any

import heyoka
import numpy as np

from ..kinks.pieces import Pieces
from ..kinks.switching import LOST, Switch


class Events:
    """The events of a system, whose equations mention `parameters`; `convert` makes heyoka's expressions of SymPy's.

    equations  a right-hand side for each state
    mapping    heyoka's expressions of the sides
    extra      how many parameters they have beyond the system's own
    events     where a trajectory meets a surface, or can no longer slide along it
    """

    def __init__(self, pieces: Pieces, parameters: int, convert: Callable[..., Any]) -> None:
        self._switch = Switch(pieces)
        self._parameters, self.continuous = parameters, not pieces.jumps
        # Numbers of the parameters that are sides, and of the mode.
        self._sides = slice(parameters, parameters + len(pieces.sides))
        self._mode = self._sides.stop
        self.extra = len(pieces.sides) + 1
        mode = heyoka.par[self._mode]
        self.mapping = {side: heyoka.par[parameters + number] for number, side in enumerate(pieces.sides)}

        lost, never = heyoka.lt(mode, 0.0), heyoka.expression(1.0)
        # heyoka warns where it cannot place a crossing; `watch` finds what comes of it.
        heyoka.set_logger_level_error()

        def converted(expression: Any) -> Any:
            return convert(expression, self.mapping)

        self.equations = [converted(expression) for expression in pieces.field]
        self.events = []
        for number, surface in enumerate(pieces.surfaces):
            if not pieces.moving[number]:
                continue
            distance = converted(surface)
            if number in pieces.jumps:
                slides = heyoka.eq(mode, number + 1.0)
                up, down = map(converted, pieces.rates[number])
                share = down / (down - up)
                self.equations = [
                    heyoka.select(slides, share * above + (1.0 - share) * below, free)
                    for above, below, free in zip(
                        map(converted, pieces.on_side(number, 1)),
                        map(converted, pieces.on_side(number, -1)),
                        self.equations,
                        strict=True,
                    )
                ]
                # The same event, for heyoka is blind to an event for a moment after it: a state that leaves is
                # still on the surface.
                distance = heyoka.select(slides, up * down, distance)
            distance = heyoka.select(lost, never, distance)
            self.events.append(heyoka.t_event_batch(distance, callback=self._on_meeting(number)))
        # What is lost stands still until the others are done.
        self.equations = [
            heyoka.select(lost, heyoka.expression(0.0), equation) for equation in self.equations
        ]

    def _on_meeting(self, number: int) -> Callable[[Any, int, int], bool]:
        # A function without an object, for an integrator is copied with what hangs on it.
        own, last, switch = self._parameters, self._mode, self._switch

        def callback(integrator: Any, direction: int, lane: int) -> bool:
            time, state = integrator.time[lane], integrator.state[:, lane].tolist()
            column = integrator.pars[:, lane].tolist()
            values, sides, mode = column[:own], column[own:last], int(column[last])
            if mode == number + 1:
                sides, mode = switch.leave(number, time, state, values, sides)
            else:
                sides, mode = switch.settle(time, state, values, sides, mode, number, direction)
            integrator.pars[own : last + 1, lane] = [*sides, mode]
            return True

        return callback

    def begin(self, integrator: Any) -> None:
        """Set sides and mode of all lanes, whose states and own parameters are set, and forget earlier events."""
        if self.events:
            integrator.reset_cooldowns()
        for lane in range(integrator.state.shape[1]):
            values, state = integrator.pars[: self._parameters, lane], integrator.state[:, lane]
            sides, mode = self._switch.first(integrator.time[lane], state.tolist(), values.tolist())
            integrator.pars[self._parameters : self._mode + 1, lane] = [*sides, mode]

    def watch(self, integrator: Any) -> bool:
        """After each step: find the lanes that missed a surface."""
        own, mode, pars = self._parameters, self._mode, integrator.pars
        astray = self._switch.astray(
            integrator.time, integrator.last_h, integrator.state, pars[:own], pars[self._sides], pars[mode]
        )
        pars[mode, astray] = LOST
        return True

    def lost(self, integrator: Any) -> np.ndarray:
        """Which lanes could not be followed."""
        return integrator.pars[self._mode] == LOST
