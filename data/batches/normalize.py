"""Standardisation by the moments of the train split, the same for every split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..base.errors import DataError
from ..shard.statistics import CONSTANT, Moments

Values = Tensor | np.ndarray | Sequence[Any]


@dataclass(frozen=True)
class Normalizer:
    """Standardises component by component: x becomes (x - mean) / std.

    Attributes:
        mean: D numbers, in the units of the states.
        std: D numbers above 0, in the same units.

    Raises:
        DataError: There are not as many means as deviations, or a deviation is not above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, tuple(np.atleast_1d(values).tolist()))
        if len(self.mean) != len(self.std) or not all(std > 0 for std in self.std):
            raise DataError(
                f"a Normalizer of {len(self.mean)} means and {len(self.std)} deviations, {self.std!r:.80}; expected "
                "one of each for every component, the deviations above 0"
            )

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
    def of_columns(cls, columns: np.ndarray | Sequence[Any]) -> Self:
        """From values (N, P), a row each: for what is constant along a trajectory."""
        columns = np.asarray(columns, dtype=np.float64)
        mean, std = columns.mean(axis=0), columns.std(axis=0)
        constant = std <= CONSTANT * np.abs(columns).max(axis=0)
        return cls(tuple(mean.tolist()), tuple(np.where(constant, 1.0, std).tolist()))

    def part(self, places: Sequence[int]) -> Self:
        """That of some components, by their places among all."""
        return type(self)(
            tuple(self.mean[place] for place in places), tuple(self.std[place] for place in places)
        )

    @property
    def of_rates(self) -> Self:
        """Of slopes of what this standardises."""
        return type(self)((0.0,) * len(self.mean), self.std)

    def apply(self, values: Values) -> Tensor:
        """Standardise (..., D)."""
        values = self._real(values)
        return (values - values.new_tensor(self.mean)) / values.new_tensor(self.std)

    def invert(self, values: Values) -> Tensor:
        """Back to raw units, (..., D)."""
        values = self._real(values)
        return values * values.new_tensor(self.std) + values.new_tensor(self.mean)

    def _real(self, values: Values) -> Tensor:
        """Of the type that they have; of torch's default type if they are whole numbers, which hold no fractions.

        Raises DataError if they have another number of components.
        """
        tensor = torch.as_tensor(values)
        if not tensor.is_floating_point():
            tensor = tensor.to(torch.get_default_dtype())
        if tensor.ndim == 0 or tensor.shape[-1] != len(self.mean):
            raise DataError(
                f"values of shape {tuple(tensor.shape)}; expected {len(self.mean)} components in the last dimension"
            )
        return tensor

    def state_dict(self) -> dict[str, list[float]]:
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_state_dict(cls, state: dict[str, list[float]]) -> Self:
        return cls(tuple(state["mean"]), tuple(state["std"]))
