"""Parameters that differ from row to row: drawn from a range, or taken in turn from lists and grids."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from ...data.base.section import Section
from .random_rows import PARAMETERS, uniform_rows
from .systems import Parameter

Range = Annotated[list[float], Field(min_length=2, max_length=2)]
MAX_VALUES = 100_000


class Draw(Section):
    """How a parameter is given its values: one of these keys.

    uniform      [low, high], each row drawn
    log_uniform  [low, high] above 0, its logarithm drawn uniformly
    values       a list; rows take the entries in turn
    grid         [low, high, count]: a list of that many values, both ends included

    Of several lists and grids, rows take all combinations in turn, the last parameter's values fastest.
    """

    uniform: Range | None = None
    log_uniform: Range | None = None
    values: Annotated[list[float], Field(min_length=1, max_length=MAX_VALUES)] | None = None
    grid: tuple[float, float, Annotated[int, Field(ge=2, le=MAX_VALUES)]] | None = Field(None, strict=False)

    @model_validator(mode="after")
    def _one_that_makes_sense(self) -> Self:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected one of {', '.join(type(self).model_fields)}, got {', '.join(given) or 'none'}"
            )
        for key in ("uniform", "log_uniform", "grid"):
            limits = getattr(self, key)
            if limits is not None and not 0 <= limits[1] - limits[0] < float("inf"):
                raise ValueError(f"{key} {list(limits)}: expected low <= high")
        if self.log_uniform is not None and self.log_uniform[0] <= 0:
            raise ValueError(f"log_uniform {self.log_uniform}: expected values above 0")
        return self

    @property
    def listed(self) -> np.ndarray | None:
        """The values to take in turn; None where each row draws its own."""
        if self.grid is not None:
            return np.linspace(*self.grid[:2], self.grid[2])
        return None if self.values is None else np.array(self.values)

    def of_uniform(self, numbers: np.ndarray) -> np.ndarray:
        """Values of rows from uniform numbers in [0, 1)."""
        if self.uniform is not None:
            low, high = self.uniform
            return low + (high - low) * numbers
        low, high = self.log_uniform or (1.0, 1.0)
        # Rounding must not carry a value out of the range.
        return np.clip(np.exp(np.log(low) + (np.log(high) - np.log(low)) * numbers), low, high)

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True, mode="json")


# A number for all rows, or a Draw; told apart first, so that an error is about one of them.
Value = Annotated[
    Annotated[float, Tag("<number>")] | Annotated[Draw, Tag("<draw>")],
    Discriminator(lambda value: "<draw>" if isinstance(value, dict | Draw) else "<number>"),
]


def drawn_in(parameter: Mapping[str, Any], split: str) -> Any:
    """How the rows of a split got their values, of what `Parameter.to_dict` says, or a stranger."""
    others = parameter.get("by_split")
    own = others.get(split) if isinstance(others, Mapping) else None
    return parameter.get("draw") if own is None else own


def draw_of(parameter: Parameter, split: str) -> float | Draw:
    """How the rows of a split get the values of a parameter, as its description says."""
    draw = (parameter.by_split or {}).get(split, parameter.draw)
    return parameter.value if draw is None else Draw.model_validate(draw)


def parameter_rows(
    parameters: Sequence[float | Draw], seed: int, split: str, start: int, stop: int
) -> np.ndarray:
    """Values of rows start to stop, (n, P) float64; row i is a function of (seed, split, i) and nothing else."""
    rows = np.empty((stop - start, len(parameters)))
    numbers = uniform_rows(seed, split, PARAMETERS, start, stop, len(parameters)) if len(parameters) else rows
    lists = {
        column: listed
        for column, parameter in enumerate(parameters)
        if isinstance(parameter, Draw) and (listed := parameter.listed) is not None
    }
    shape = tuple(len(listed) for listed in lists.values())
    combination = np.arange(start, stop) % max(1, int(np.prod(shape, dtype=np.int64)))
    turns = np.unravel_index(combination, shape) if shape else ()
    for column, parameter in enumerate(parameters):
        if not isinstance(parameter, Draw):
            rows[:, column] = parameter
        elif column not in lists:
            rows[:, column] = parameter.of_uniform(numbers[:, column])
    for (column, listed), turn in zip(lists.items(), turns, strict=True):
        rows[:, column] = listed[turn]
    return rows
