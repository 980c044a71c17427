"""Moments of the state, component by component, that merge over shards without a second pass."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

BLOCK_VALUES = 1 << 15


class Moments(BaseModel):
    """Count, mean, standard deviation and range of each component over all sound rows and times.

    `count` is the number of values a component; the lists have one entry a component, in raw units, and
    are empty when `count` is 0. The standard deviation is that of the population (divisor `count`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    mean: list[float] = []
    std: list[float] = []
    minimum: list[float] = []
    maximum: list[float] = []

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
        mean = columns.mean(axis=0).reshape(shape[1:]).mean(axis=0)
        if not np.isfinite(mean).all():
            finite = np.isfinite(columns).all(axis=1)
            return cls.of(state[finite])
        deviation = columns - np.tile(mean, shape[1])
        variance = np.einsum("ij,ij->j", deviation, deviation).reshape(shape[1:]).mean(axis=0) / shape[0]
        return cls(
            count=shape[0] * shape[1],
            mean=mean.tolist(),
            std=np.sqrt(variance).tolist(),
            minimum=columns.min(axis=0).reshape(shape[1:]).min(axis=0).tolist(),
            maximum=columns.max(axis=0).reshape(shape[1:]).max(axis=0).tolist(),
        )

    @classmethod
    def merge(cls, parts: Iterable["Moments"]) -> Self:
        """Moments of the union (Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115)."""
        parts = [part for part in parts if part.count]
        if not parts:
            return cls(count=0)
        counts = np.array([part.count for part in parts], dtype=np.float64)[:, None]
        means = np.array([part.mean for part in parts])
        stds = np.array([part.std for part in parts])
        total = counts.sum()
        mean = (counts * means).sum(axis=0) / total
        variance = (counts * (stds**2 + (means - mean) ** 2)).sum(axis=0) / total
        return cls(
            count=sum(part.count for part in parts),
            mean=mean.tolist(),
            std=np.sqrt(variance).tolist(),
            minimum=np.min([part.minimum for part in parts], axis=0).tolist(),
            maximum=np.max([part.maximum for part in parts], axis=0).tolist(),
        )
