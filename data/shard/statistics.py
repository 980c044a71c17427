"""Moments of the state, component by component, that merge over shards without a second pass."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from ..base.section import Record

BLOCK_VALUES = 1 << 15
SMALLEST_EXPONENT = -1022.0
# Values in a row with which a reduction loses no time from row to row.
LONG = 512
# A component whose standard deviation is below this part of its size is constant, but for rounding.
CONSTANT = 1e-12


class Moments(Record):
    """Count, mean, standard deviation and range of each component over all sound rows and times.

    `count` is the number of values a component; the lists have one entry a component, in raw units, and
    are empty when `count` is 0. The standard deviation is that of the population (divisor `count`).
    """

    count: int
    mean: list[FiniteFloat] = Field(default_factory=list)
    std: list[FiniteFloat] = Field(default_factory=list)
    minimum: list[FiniteFloat] = Field(default_factory=list)
    maximum: list[FiniteFloat] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_entry_a_component(self) -> Self:
        lengths = {len(self.mean), len(self.std), len(self.minimum), len(self.maximum)}
        if len(lengths) != 1 or (lengths == {0}) != (self.count == 0):
            raise ValueError("mean, std, minimum and maximum need one entry a component each")
        return self

    @classmethod
    def of(cls, state: np.ndarray) -> Self:
        """Moments of an array (N, T, D), of its rows that are finite; sums are taken in float64.

        A block of rows at a time, so that it stays in the cache.
        """
        rows = max(1, BLOCK_VALUES // max(1, state[0].size if len(state) else 1))
        return cls.merge(cls._of_block(state[start : start + rows]) for start in range(0, len(state), rows))

    @classmethod
    def _of_block(cls, state: np.ndarray) -> Self:
        shape = state.shape
        # Columns are (time, component) pairs: reductions over rows then run over contiguous memory.
        columns = state.reshape(shape[0], -1).astype(np.float64)
        minimum, maximum = _reduced(np.minimum, columns), _reduced(np.maximum, columns)
        # Both are NaN where any value is.
        if not (np.isfinite(minimum).all() and np.isfinite(maximum).all()):
            return cls.of(state[np.isfinite(columns).all(axis=1)])
        scale = _scale(minimum, maximum)
        # As exact as dividing by a power of two, and three times as fast.
        columns *= 1.0 / scale
        mean = columns.mean(axis=0).reshape(shape[1:]).mean(axis=0)
        columns -= np.tile(mean, shape[1])
        variance = np.einsum("ij,ij->j", columns, columns).reshape(shape[1:]).mean(axis=0) / shape[0]
        return cls(
            count=shape[0] * shape[1],
            mean=(mean * scale).tolist(),
            std=(np.sqrt(variance) * scale).tolist(),
            minimum=minimum.reshape(shape[1:]).min(axis=0).tolist(),
            maximum=maximum.reshape(shape[1:]).max(axis=0).tolist(),
        )

    @classmethod
    def merge(cls, parts: Iterable["Moments"]) -> Self:
        """Moments of the union (Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115)."""
        parts = [part for part in parts if part.count]
        if not parts:
            return cls(count=0)
        counts = np.array([part.count for part in parts], dtype=np.float64)[:, None]
        minimum = np.min([part.minimum for part in parts], axis=0)
        maximum = np.max([part.maximum for part in parts], axis=0)
        scale = _scale(minimum, maximum)
        means = np.array([part.mean for part in parts]) / scale
        stds = np.array([part.std for part in parts]) / scale
        total = counts.sum()
        mean = (counts * means).sum(axis=0) / total
        variance = (counts * (stds**2 + (means - mean) ** 2)).sum(axis=0) / total
        return cls(
            count=sum(part.count for part in parts),
            mean=(mean * scale).tolist(),
            std=(np.sqrt(variance) * scale).tolist(),
            minimum=minimum.tolist(),
            maximum=maximum.tolist(),
        )

    def agrees(self, other: "Moments") -> bool:
        """The same, but for the order in which another machine may have summed."""
        if (self.count, self.minimum, self.maximum) != (other.count, other.minimum, other.maximum):
            return False
        size = np.maximum(np.abs(self.minimum), np.abs(self.maximum))
        return all(
            bool((np.abs(np.subtract(mine, theirs)) <= CONSTANT * size).all())
            for mine, theirs in ((self.mean, other.mean), (self.std, other.std))
        )

    @property
    def scales(self) -> list[float]:
        """What to divide each component by: its standard deviation, or 1 where it does not vary.

        A spread of rounding errors alone is no variation.
        """
        largest = [max(abs(low), abs(high)) for low, high in zip(self.minimum, self.maximum, strict=True)]
        return [std if std > CONSTANT * size else 1.0 for std, size in zip(self.std, largest, strict=True)]


def _reduced(least_or_most: np.ufunc, columns: np.ndarray) -> np.ndarray:
    """`least_or_most.reduce(columns, axis=0)`, several rows at once where these are short: three times as fast."""
    rows, width = columns.shape
    fold = min(rows, max(1, LONG // width))
    folded = columns[: rows - rows % fold].reshape(-1, fold * width)
    parts = np.concatenate(
        [least_or_most.reduce(folded, axis=0).reshape(fold, width), columns[len(folded) * fold :]]
    )
    return least_or_most.reduce(parts, axis=0)


def _scale(minimum: np.ndarray, maximum: np.ndarray) -> float:
    """A power of two of the size of the values, so that no square overflows; its inverse is a number, too."""
    largest = max(np.abs(minimum).max(), np.abs(maximum).max())
    return 2.0 ** max(np.floor(np.log2(largest)), SMALLEST_EXPONENT) if largest > 0 else 1.0
