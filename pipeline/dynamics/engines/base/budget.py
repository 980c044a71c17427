"""How many steps a row may take: of each row by itself, by the time it covers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

# Steps a unit of time where none are stated, and those that every row has whatever the unit. Two periods of the
# relaxation oscillation at mu = 1000 take 125 a unit, 4e5 in all.
USUAL_PER_UNIT, FEWEST = 10_000.0, 200_000


@dataclass(frozen=True)
class Budget:
    """The most steps of a row.

    max_steps  in all; 0 is no limit
    per_unit   a unit of time; None is USUAL_PER_UNIT, but FEWEST at least, beside a `max_steps` that is not 0
    """

    max_steps: int = 0
    per_unit: float | None = None

    def steps(self, times: np.ndarray) -> int:
        """Along a grid (T,), 1 at least; 0 is no limit."""
        duration = float(times[-1] - times[0])
        if self.per_unit is not None:
            allowed = max(1.0, self.per_unit * duration)
        elif self.max_steps:
            allowed = max(FEWEST, USUAL_PER_UNIT * duration)
        else:
            return 0
        return int(min(self.max_steps or np.iinfo(np.int32).max, allowed))

    def describe(self) -> dict[str, Any]:
        """What an engine says of it; a key that is not stated is left out."""
        stated = {} if self.per_unit is None else {"max_steps_per_unit": self.per_unit}
        return {"max_steps": self.max_steps, **stated}
