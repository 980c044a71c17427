"""Some rows of a shard, and shards put together: for datasets that are cut from others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .schema import DIMENSIONS, OPTIONAL_VARIABLES
from .shard import Shard


def take_rows(shard: Shard, index: Any) -> Shard:
    """The rows of a shard that a NumPy index (slice, mask or numbers) chooses."""
    return replace(
        shard,
        state=shard.state[index],
        trajectory=shard.trajectory[index],
        initial_state=shard.initial_state[index],
        parameters={name: values[index] for name, values in shard.parameters.items()},
        status=shard.status[index],
        optional={name: values[index] for name, values in shard.optional.items()},
    )


def take_times(shard: Shard, index: Any) -> Shard:
    """The samples that a NumPy index chooses, of all rows."""
    over_time = {
        name: np.ascontiguousarray(values[:, index])
        for name, values in shard.optional.items()
        if OPTIONAL_VARIABLES[name].dimensions == DIMENSIONS
    }
    return replace(
        shard,
        state=np.ascontiguousarray(shard.state[:, index]),
        time=shard.time[index],
        optional={**shard.optional, **over_time},
    )


def join_rows(shards: Sequence[Shard]) -> Shard:
    """The rows of shards of one kind, one after the other; attributes and grid are those of the first."""
    if len(shards) == 1:
        return shards[0]
    first = shards[0]
    return replace(
        first,
        state=np.concatenate([shard.state for shard in shards]),
        trajectory=np.concatenate([shard.trajectory for shard in shards]),
        initial_state=np.concatenate([shard.initial_state for shard in shards]),
        parameters={
            name: np.concatenate([shard.parameters[name] for shard in shards]) for name in first.parameters
        },
        status=np.concatenate([shard.status for shard in shards]),
        optional={
            name: np.concatenate([shard.optional[name] for shard in shards]) for name in first.optional
        },
    )
