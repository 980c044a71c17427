"""How long something lasts: in units of time, or in periods of the system."""

from typing import Annotated

from pydantic import Discriminator, PositiveFloat, Tag

from ...data.base.errors import TrajstoreError
from ...data.base.section import Section


class Periods(Section):
    """So many periods of the system."""

    periods: PositiveFloat


Duration = Annotated[
    Annotated[PositiveFloat, Tag("<number>")] | Annotated[Periods, Tag("<periods>")],
    Discriminator(lambda value: "<periods>" if isinstance(value, dict | Periods) else "<number>"),
]


def in_time(duration: float | Periods, period: float | None, what: str) -> float:
    """A duration in units of time. Raises TrajstoreError if it is in periods, and the system has none."""
    if not isinstance(duration, Periods):
        return duration
    if period is None:
        raise TrajstoreError(
            f"{what}: is in periods, and the system has none, or parameters of its own; give [system] period, or "
            f"{what} in units of time"
        )
    return duration.periods * period
