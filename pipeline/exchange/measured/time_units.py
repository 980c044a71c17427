"""Units of time as files state them, and how one becomes another."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np

# Seconds of each unit, by all the names it goes by.
SECONDS: dict[str, Fraction] = {
    name: seconds
    for names, seconds in (
        ("ns nsec nanosec nanosecond nanoseconds", Fraction(1, 10**9)),
        ("us µs μs usec microsec microsecond microseconds", Fraction(1, 10**6)),
        ("ms msec msecs millisec millisecond milliseconds", Fraction(1, 1000)),
        ("s sec secs second seconds", Fraction(1)),
        ("min mins minute minutes", Fraction(60)),
        ("h hr hrs hour hours", Fraction(3600)),
        ("d day days", Fraction(86400)),
        ("week weeks", Fraction(7 * 86400)),
    )
    for name in names.split()
}
# Calendars whose days follow each other as those of Python do, from this date on.
CALENDARS = (None, "standard", "gregorian", "proleptic_gregorian")
REFORM = datetime(1582, 10, 15, tzinfo=UTC)
NONE = "1"


@dataclass(frozen=True)
class TimeUnit:
    """A unit, perhaps counted from a date: "days since 2000-01-01".

    name      the unit as the file calls it
    since     the date, as text, or None
    calendar  of that date; None is the usual one
    """

    name: str
    since: str | None = None
    calendar: str | None = None

    @classmethod
    def of(cls, text: str, calendar: str | None = None) -> "TimeUnit":
        name, _, since = re.sub(r"\s+since\s+", " since ", text.strip()).partition(" since ")
        return cls(name, since or None, calendar.casefold() if calendar else None)

    @property
    def seconds(self) -> Fraction | None:
        """How long it is; None if that is not known, as of a year."""
        # Of the short ones, capital letters mean something else: Ms is not ms.
        return SECONDS.get(self.name) or (SECONDS.get(self.name.casefold()) if len(self.name) > 2 else None)

    @property
    def plain(self) -> "TimeUnit":
        """The same without a date."""
        return TimeUnit(self.name)

    def __str__(self) -> str:
        return f"{self.name} since {self.since}" if self.since else self.name

    def date(self) -> datetime | None:
        """The date that it counts from; None if it cannot be told."""
        if self.since is None or self.calendar not in CALENDARS:
            return None
        try:
            found = datetime.fromisoformat(self.since.replace(" UTC", "+00:00"))
        except ValueError:
            return None
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found if found >= REFORM else None


@dataclass(frozen=True)
class Change:
    """What makes times of one unit those of another: times * factor + shift."""

    factor: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def __call__(self, times: np.ndarray) -> np.ndarray:
        # Multiplied and divided by whole numbers, 33 ms are the very number that 0.033 s is.
        factor = self.factor
        with np.errstate(over="ignore"):
            changed = times if factor == 1 else times * float(factor.numerator) / float(factor.denominator)
        return changed + float(self.shift) if self.shift else changed
