"""An array of a file, unread, and what the file says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Attributes that say what a variable is, or how its numbers are packed; no others are read.
SPOKEN = (
    "units",
    "unit",
    "calendar",
    "axis",
    "standard_name",
    "cf_role",
    "sample_dimension",
    "instance_dimension",
    "_FillValue",
    "missing_value",
    "valid_range",
    "valid_min",
    "valid_max",
    "scale_factor",
    "add_offset",
    "_Unsigned",
)


UNITS = ("units", "unit")
NO_UNIT = "1"


@dataclass(frozen=True)
class Variable:
    """One named array.

    read        gives its values, unpacked, with NaN where one is missing
    dimensions  names of its dimensions, None for one without a name; empty where the file names none of them
    attributes  those of SPOKEN that it has
    doubt       why the order of its dimensions cannot be told, or None
    """

    read: Callable[[], np.ndarray]
    dimensions: tuple[str | None, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    doubt: str | None = None

    def said(self, key: str) -> str | None:
        """An attribute as text, without white space around it; None where there is none, or no text."""
        value = self.attributes.get(key)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        return value.strip() or None if isinstance(value, str) else None

    @property
    def unit(self) -> str | None:
        """The one unit that it states; "1" is none."""
        unit = next(filter(None, map(self.said, UNITS)), None)
        return None if unit == NO_UNIT else unit


Variables = Mapping[str, Variable]
