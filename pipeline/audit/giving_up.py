"""Does the engine that made rows give them up, by rules of its own that no other one has?"""

from typing import Any

import numpy as np
from pydantic import ValidationError

from ...data.base.errors import TrajstoreError
from ...data.shard.schema import Status
from ...data.shard.shard import Shard
from ..dynamics.engines import EngineSettings, make_engine
from ..dynamics.systems import System
from .given import parameters_of, times_from_start

GIVEN_UP = Status.STEP_LIMIT, Status.SOLVER_FAILED


def gives_up(shard: Shard, rows: np.ndarray, stored: dict[str, Any], system: System) -> np.ndarray:
    """Which rows (K,) of a shard the engine that is described there does not bring to an end.

    Of an engine that cannot be made here it is believed.
    """
    keys = EngineSettings.model_fields
    try:
        settings = EngineSettings.model_validate(
            {key: value for key, value in stored.items() if key in keys and value is not None}
        )
        engine = make_engine(
            system, settings, "linear" if shard.attributes["resampling"] == "linear" else "dense"
        )
    except (ValidationError, TrajstoreError):
        return np.ones(len(rows), dtype=bool)
    times, _ = times_from_start(shard)
    again = engine.solve(shard.initial_state[rows], parameters_of(shard, rows, system), times)
    return again.status != Status.OK


def given_up_again(shard: Shard, rows: np.ndarray, stored: dict[str, Any], system: System) -> np.ndarray:
    """Which rows (K,) are stored as given up, and are given up again: there is nothing else to tell of them."""
    found = np.isin(shard.status[rows], GIVEN_UP)
    if found.any():
        found[found] = gives_up(shard, rows[found], stored, system)
    return found
