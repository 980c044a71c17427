"""The [grid] section: the times at which every trajectory is sampled."""

from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from ...data.base.errors import TrajstoreError
from ...data.base.section import Section
from ..dynamics.durations import Duration, Periods
from ..dynamics.engines.settings import Resampling
from .system import Split

# A single trajectory must fit in memory.
MAX_POINTS = 10_000_000


Points = Annotated[int, Field(ge=2, le=MAX_POINTS)]


# How far apart the times are: one of these says it.
SPACING = ("step", "points", "points_per_period")


class SplitGrid(Section):
    """Times of one split's own: what is given takes the place of what [grid] says; `duration` alone keeps the step.

    Attributes:
        duration: In units of time, or { periods = 10.0 } of the system's natural period.
        step: From point to point, in units of time.
        points: How many, both ends included.
        points_per_period: How many a period; the number of points that comes nearest is taken.
    """

    duration: Duration | None = None
    step: PositiveFloat | None = None
    points: Points | None = None
    points_per_period: PositiveFloat | None = None

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if sum(getattr(self, key) is not None for key in SPACING) > 1:
            raise ValueError("expected one of step, points and points_per_period at most")
        return self


class GridSection(Section):
    """Times from 0 to `duration`, both ends included.

    One of `step`, `points` and `points_per_period` says how far apart.

    Attributes:
        duration: In units of time, or { periods = 10.0 } of the system's natural period.
        step: From point to point, in units of time.
        points: How many, both ends included.
        points_per_period: How many a period; the number of points that comes nearest is taken.
        resample: "dense", the solver's own interpolant, or "linear" between its steps, as in the tutorial.
        splits: Split -> keys that are others there, so that its rows are longer or shorter, see below.
    """

    duration: Duration
    step: PositiveFloat | None = None
    points: Points | None = None
    points_per_period: PositiveFloat | None = None
    resample: Resampling = "dense"
    splits: dict[Split, SplitGrid] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(getattr(self, key) is not None for key in SPACING) != 1:
            raise ValueError("expected either step or points or points_per_period")
        if self.step is not None and isinstance(self.duration, float):
            self._steps(self.duration, self.step)
        return self

    def times(self, period: float | None, split: Split | None = None) -> np.ndarray:
        """The grid (T,) float64 for a system of this period, perhaps of a split that has keys of its own.

        Raises TrajstoreError if the system lacks a period that it needs, or no times fit.
        """
        own = None if split is None else self.splits.get(split)
        if own is None:
            return self._times(period, "grid")
        keys = ("duration", *SPACING)
        given: dict[str, Any] = {key: value for key in keys if (value := getattr(own, key)) is not None}
        if self.points is not None and given.keys() == {"duration"}:
            # So many points of another duration would be another step.
            shared = self._times(period, "grid")
            given["step"] = float(shared[-1]) / (len(shared) - 1)
        replaced = dict.fromkeys(SPACING) if given.keys() & set(SPACING) else {}
        return self.model_copy(update={**replaced, **given})._times(period, f"grid.splits.{split}")

    def _times(self, period: float | None, name: str) -> np.ndarray:
        if period is None and (isinstance(self.duration, Periods) or self.points_per_period is not None):
            raise TrajstoreError(
                f"{name}: periods and points_per_period need the system's period, and it has none, or parameters of "
                "its own; give [system] period, or duration and step in units of time"
            )
        unit = period or 1.0
        duration = self.duration.periods * unit if isinstance(self.duration, Periods) else self.duration
        try:
            if self.step is not None:
                points = self._steps(duration, self.step) + 1
            elif self.points is not None:
                points = self.points
            else:
                points = self._steps(duration, unit / (self.points_per_period or 1.0), divides=False) + 1
        except ValueError as error:
            raise TrajstoreError(f"{name}: {error}") from None
        return np.linspace(0.0, duration, points)

    @staticmethod
    def _steps(duration: float, step: float, divides: bool = True) -> int:
        """How many steps make the duration. Raises ValueError if they are none, too many, or do not divide it."""
        steps = duration / step
        if steps >= MAX_POINTS:
            raise ValueError(f"step {step} gives {steps:.3g} points, the limit is {MAX_POINTS:,}")
        if steps < 0.5 or (divides and abs(steps - round(steps)) > 1e-9 * steps):
            raise ValueError(f"step {step} does not divide duration {duration}")
        return round(steps)
