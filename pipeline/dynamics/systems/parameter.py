"""A parameter of a system: its value, and how rows were given values of their own."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """A parameter of a system.

    Attributes:
        value: The same in all rows; NaN where each row has its own.
        unit: "1" where there is none.
        meaning: In a few words.
        draw: How rows were given their values, JSON-ready; None where all have the same.
        by_split: The same of splits whose rows were given theirs in another way.
    """

    value: float = math.nan
    unit: str = "1"
    meaning: str = ""
    draw: Mapping[str, Any] | None = None
    by_split: Mapping[str, Mapping[str, Any]] | None = None

    @property
    def draws(self) -> list[Mapping[str, Any]]:
        """All ways in which rows were given values."""
        return [*([self.draw] if self.draw else []), *(self.by_split or {}).values()]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what is given of it."""
        described = {key: value for key, value in asdict(self).items() if value is not None}
        if math.isnan(self.value):
            del described["value"]
        return described
