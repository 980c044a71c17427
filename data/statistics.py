"""Moments of the state, component by component, that merge over shards without a second pass."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict


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

    @classmethod
    def of(cls, state: np.ndarray) -> Self:
        """Moments of an array (N, T, D); sums are taken in float64."""
        values = state.reshape(-1, state.shape[-1])
        if len(values) == 0:
            return cls(count=0)
        mean = values.mean(axis=0, dtype=np.float64)
        variance = np.square(values - mean).mean(axis=0, dtype=np.float64)
        return cls(
            count=len(values),
            mean=mean.tolist(),
            std=np.sqrt(variance).tolist(),
            minimum=values.min(axis=0).astype(np.float64).tolist(),
            maximum=values.max(axis=0).astype(np.float64).tolist(),
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
