"""The limit cycle to which the rollouts of a group come, by the equations."""

import numpy as np

from ..dynamics.systems import System
from .metrics.cycle import Cycle, limit_cycle
from .rollouts import Group
from .truth import Truth

# Sampling intervals of the true cycle for each of the grid's.
OVERSAMPLING = 10


def cycle_of(truth: Truth, group: Group, times: np.ndarray) -> Cycle | None:
    """None where there is no such cycle.

    Rows with parameters of their own have cycles of their own, fields more than one, and delays start from a past.
    """
    system, parameters = truth.system, group.parameters
    if not (system.kind == System.kind and system.autonomous and bool((parameters == parameters[0]).all())):
        return None
    step = float(times[1]) / OVERSAMPLING
    assert group.starts is not None
    return limit_cycle(truth.engine, group.starts, parameters, float(times[-1]), step, truth.observed[0])
