"""What a shard gives to a solver that is to integrate its rows again."""

import json

import numpy as np

from ...data.base.errors import FormatError
from ...data.folder.stated_grid import initial_time
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


def times_from_start(shard: Shard) -> tuple[np.ndarray, int]:
    """The grid, with the time of the initial states before it where it begins later, and how many that adds."""
    grid = json.loads(str(shard.attributes["config"])).get("grid", {})
    start = initial_time(grid)
    if start < shard.time[0]:
        return np.concatenate([[start], shard.time]), 1
    return shard.time, 0
