"""Which piece of equations with kinks and jumps holds, where it ends, and which one follows.

A solver stops where it meets a surface, and asks here how to go on. Where both
sides of a jump lead to it, the state slides along it, by the mean of the two that stays on it: Filippov (1988),
Differential Equations with Discontinuous Righthand Sides, doi:10.1007/978-94-015-7793-9.
"""

from collections.abc import Sequence

import numpy as np

from .pieces import Pieces

# Of a mode; a state that slides along surface k has mode k + 1.
FREE, LOST = 0, -1
# So close to a surface, relative to the terms of g, rounding hides the side: it is the slope that tells it.
ON_SURFACE = 64 * 2.0**-52
# So far on the wrong side, relative to the terms of g and to its way of one step, a crossing was missed.
ASTRAY = 1e-10
# So much a side may lead away of a surface along which a state slides, relative to both.
HELD = 1e-9
# Two surfaces whose normals have a cosine so near to 1 are tangent.
PARALLEL = 1e-9


class Switch:
    """Decides, for one state at a time, on which side of each surface it is and along which it slides."""

    def __init__(self, pieces: Pieces) -> None:
        self._moving = pieces.moving
        self._number = len(pieces.surfaces)
        self._surfaces = pieces.function(pieces.surfaces, "math")
        self._rates = pieces.function(pieces.rates, "math")
        self._jumps = set(pieces.jumps)
        self._normals = pieces.function(pieces.normals, "scipy")
        self._scales = pieces.function([pieces.sizes, pieces.motions], "math")
        # Which sides other surfaces mention: along those nothing slides that is known here.
        self._shapes = [any(surface.has(side) for surface in pieces.surfaces) for side in pieces.sides]
        # Which surfaces move where a side changes.
        self._nested = [surface.has(*pieces.sides) for surface in pieces.surfaces]
        self._vectorised = pieces.function([pieces.surfaces, pieces.sizes, pieces.motions], "scipy")

    def first(self, time: float, state: Sequence[float], values: Sequence[float]) -> tuple[list[float], int]:
        """Sides and mode at the start of a trajectory."""
        sides = [0.0] * self._number
        try:
            # One after the other, for a surface may mention the sides of those before it.
            for number in range(self._number):
                sides[number] = float(np.sign(self._surfaces(time, state, values, sides)[number]))
        except (ArithmeticError, ValueError, TypeError):
            return sides, LOST
        return self.settle(time, state, values, sides, FREE)

    def settle(
        self,
        time: float,
        state: Sequence[float],
        values: Sequence[float],
        sides: list[float],
        mode: int,
        met: int | None = None,
        direction: int | None = None,
    ) -> tuple[list[float], int]:
        """Sides and mode from here on; LOST if there is no single way on that is known here.

        met, direction  the surface that the trajectory just met, and the sign of dg/dt there; None at the start,
                        where the sides are no more than the signs of g
        """
        point = time, state, values
        try:
            for _ in range(self._number + 2):
                before = sides, mode
                distances = self._surfaces(*point, sides)
                hidden = self._hidden(distances, point, sides, met)
                for number, distance in enumerate(distances):
                    apart = float(np.sign(distance))
                    on = self._on_surface(number, apart != sides[number], hidden[number], mode, met)
                    # On its way a state crosses no surface unseen.
                    if on is None:
                        return sides, LOST
                    side, slides = apart, False
                    if on:
                        rates = self._rates_along(number, *point, sides, mode)
                        side, slides = self._side(sides[number], rates, direction if number == met else None)
                        elsewhere = mode not in (FREE, number + 1) or self._shapes[number]
                        if side is None or (slides and elsewhere):
                            return sides, LOST
                    if slides:
                        mode = number + 1
                    elif mode == number + 1:
                        mode = FREE
                    sides = [*sides[:number], side, *sides[number + 1 :]]
                jumps = [number for number in sorted(self._jumps) if hidden[number] or number == met]
                if len(jumps) > 1 and self._touch(jumps, *point, sides):
                    return sides, LOST
                if before == (sides, mode):
                    return sides, mode
        except (ArithmeticError, ValueError, TypeError):
            pass
        return sides, LOST

    def _hidden(
        self,
        distances: Sequence[float],
        point: tuple[float, Sequence[float], Sequence[float]],
        sides: list[float],
        met: int | None,
    ) -> list[bool]:
        """Of each surface: is a state so close to it that rounding hides its side?"""
        sizes, motions = self._scales(*point, sides)
        near = [sum(map(abs, parts)) for parts in sizes]
        if met is not None:
            # Two surfaces are met at once if rounding of the time may hide which comes first.
            ways = [sum(map(abs, parts)) for parts in motions]
            near = [size + abs(point[0]) * way for size, way in zip(near, ways, strict=True)]
        return [abs(distance) <= ON_SURFACE * size for distance, size in zip(distances, near, strict=True)]

    def _on_surface(
        self, number: int, crossed: bool, hidden: bool, mode: int, met: int | None
    ) -> bool | None:
        """Is a state on a surface, so that slopes tell its side? None if it crossed it, which nobody met."""
        if number == met or mode == number + 1:
            return True
        if not self._moving[number]:
            return False
        if met is None or self._nested[number]:
            return hidden
        # On its way a state keeps its side until it meets the surface, however close.
        return None if crossed and not hidden else crossed

    def _touch(
        self,
        numbers: list[int],
        time: float,
        state: Sequence[float],
        values: Sequence[float],
        sides: list[float],
    ) -> bool:
        """Have two surfaces one tangent plane here? They may be one, as those of sin(x) and sin(2*x)."""
        normals = self._normals(time, state, values, sides)
        chosen = np.array([[float(slope) for slope in normals[number]] for number in numbers])
        chosen /= np.linalg.norm(chosen, axis=1, keepdims=True)
        cosines = np.abs(chosen @ chosen.T) - np.eye(len(numbers))
        return not (cosines < 1 - PARALLEL).all()

    @staticmethod
    def _side(side: float, rates: tuple[float, float], direction: int | None) -> tuple[float | None, bool]:
        """The side of a state on a surface, and whether it slides; None if it has no single way on."""
        up, down = rates
        if up < 0 < down:
            return side or 1.0, True
        if (up > 0 and down > 0) or (up < 0 and down < 0):
            return (1.0 if up > 0 else -1.0), False
        if direction == 0 or (up > 0 > down and not side):
            # It comes to rest on the surface, or starts where two trajectories begin.
            return None, False
        return float(direction or side or 1), False

    def leave(
        self, number: int, time: float, state: Sequence[float], values: Sequence[float], sides: list[float]
    ) -> tuple[list[float], int]:
        """Sides and mode where a state that slides along a surface is no longer held by one of its sides."""
        up, down = self._rates(time, state, values, sides)[number]
        side = 1.0 if abs(up) < abs(down) else -1.0
        return [*sides[:number], side, *sides[number + 1 :]], FREE

    def _rates_along(
        self,
        number: int,
        time: float,
        state: Sequence[float],
        values: Sequence[float],
        sides: list[float],
        mode: int,
    ) -> tuple[float, float]:
        """dg/dt on both sides of a surface, for a state that may slide along another."""
        other = mode - 1
        if mode == FREE or other == number:
            return self._rates(time, state, values, sides)[number]
        above, below = (
            self._rates(time, state, values, [*sides[:other], side, *sides[other + 1 :]])
            for side in (1.0, -1.0)
        )
        up, down = above[other]
        share = down / (down - up)
        return tuple(
            share * one + (1 - share) * two for one, two in zip(above[number], below[number], strict=True)
        )

    def astray(
        self,
        times: np.ndarray,
        steps: np.ndarray,
        states: np.ndarray,
        values: np.ndarray,
        sides: np.ndarray,
        modes: np.ndarray,
    ) -> np.ndarray:
        """Which of many states (D, lanes) are where their sides (surfaces, lanes) say that they cannot be.

        steps  (lanes,) length of the step that ended there
        """
        wrong = np.zeros(states.shape[1], dtype=bool)
        with np.errstate(all="ignore"):
            # A surface such as x = 0 has no terms left on it: what x was is then told by its way.
            reach = ASTRAY * np.abs(steps) + ON_SURFACE * np.abs(times)
            found = zip(*self._vectorised(times, states, values, sides), strict=True)
            for number, (distance, sizes, motions) in enumerate(found):
                if self._moving[number]:
                    off = np.where(modes == number + 1, np.abs(distance), -sides[number] * distance)
                    size, motion = (sum(map(np.abs, parts)) for parts in (sizes, motions))
                    wrong |= off > ASTRAY * size + reach * motion
            for lane in np.flatnonzero(modes > FREE):
                # One that slides is held from both sides.
                column = (
                    times[lane],
                    states[:, lane].tolist(),
                    values[:, lane].tolist(),
                    sides[:, lane].tolist(),
                )
                up, down = self._rates(*column)[int(modes[lane]) - 1]
                wrong[lane] |= max(up, -down) > HELD * (abs(up) + abs(down))
        return wrong & (modes != LOST)
