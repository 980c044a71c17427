"""Standardisation by the moments of the train split, the same for every split."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from torch import Tensor

from .errors import DataError
from .statistics import CONSTANT, Moments


@dataclass(frozen=True)
class Normalizer:
    """x -> (x - mean) / std, component by component; `mean` and `std` have D entries, in raw units."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, moments: Moments) -> Self:
        """From the train split's moments. A component that never varies is only shifted, not scaled.

        Raises DataError if there are no sound rows to take them from.
        """
        if not moments.count:
            raise DataError(
                "normalisation needs moments of the train split, and there are no sound train rows here; "
                "open the whole dataset folder, or pass the Normalizer of the train split"
            )
        return cls(tuple(moments.mean), tuple(moments.scales))

    @classmethod
    def of_columns(cls, columns: np.ndarray) -> Self:
        """From values (N, P), a row each: for what is constant along a trajectory."""
        mean, std = columns.mean(axis=0), columns.std(axis=0)
        constant = std <= CONSTANT * np.abs(columns).max(axis=0)
        return cls(tuple(mean.tolist()), tuple(np.where(constant, 1.0, std).tolist()))

    def apply(self, values: Tensor) -> Tensor:
        """Standardise (..., D)."""
        return (values - values.new_tensor(self.mean)) / values.new_tensor(self.std)

    def invert(self, values: Tensor) -> Tensor:
        """Back to raw units, (..., D)."""
        return values * values.new_tensor(self.std) + values.new_tensor(self.mean)

    def state_dict(self) -> dict[str, list[float]]:
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_state_dict(cls, state: dict[str, list[float]]) -> Self:
        return cls(tuple(state["mean"]), tuple(state["std"]))
