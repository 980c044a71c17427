"""What a shard gives to a solver that is to integrate its rows again."""

import json
from typing import Any

import numpy as np

from ...data.base.errors import FormatError
from ...data.folder.stated_grid import grid_of, initial_time
from ...data.shard.shard import Shard
from ..dynamics.systems import System


def parameters_of(shard: Shard, rows: np.ndarray, system: System) -> np.ndarray:
    """Values (K, P) of the parameters of rows. Raises FormatError if one lacks."""
    missing = [name for name in system.parameters if name not in shard.parameters]
    if missing:
        raise FormatError(f"no variable for the parameters {', '.join(missing)} of the stored equations")
    values = np.empty((len(rows), len(system.parameters)))
    for column, name in enumerate(system.parameters):
        values[:, column] = shard.parameters[name][rows]
    return values


def stated_grid(shard: Shard) -> dict[str, Any]:
    """What the config of a shard says of the times of its rows. Raises FormatError."""
    config = json.loads(str(shard.attributes["config"]))
    return grid_of(config, str(shard.attributes["split"])) if "grid" in config else {}


def times_from_start(shard: Shard) -> tuple[np.ndarray, int]:
    """The grid, with the time of the initial states before it where it begins later, and how many that adds."""
    grid = stated_grid(shard)
    start = initial_time(grid)
    if start < shard.time[0]:
        return np.concatenate([[start], shard.time]), 1
    return shard.time, 0
