"""What an engine is: initial states and a time grid in, trajectories and a status for each row out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from .....data.base.errors import TrajstoreError
from .....data.shard.schema import Status

# Of the numbers that engines give: 1 more whenever the same config comes out otherwise, in those engines and for
# those equations alone of which this is so. A description without it is of revision 0.
REVISION = 1
# A row that would need so many more steps to the end, at its pace, is given up: nobody waits for them.
HOPELESS = 1e9
REPORT_SECONDS = 0.1


class EngineError(TrajstoreError):
    """An engine that is not there, or asked for what it cannot do."""


@dataclass(frozen=True)
class Solution:
    """`states` (N, T, D) float64, NaN in every row whose `status` (N,) int8 is not Status.OK."""

    states: np.ndarray
    status: np.ndarray


class Engine(Protocol):
    """Integrates many rows of one system.

    Attributes:
        threads: Whether it releases the GIL, so that threads suffice to use all cores.
    """

    threads: bool

    def describe(self) -> dict[str, Any]:
        """Name, version, revision, method and tolerances, JSON-ready; goes into every shard."""
        ...

    def solve(
        self,
        initial_states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        report: Callable[[int], None] | None = None,
    ) -> Solution:
        """Integrate rows.

        A row's result depends on that row alone, not on its neighbours. A row that fails is NaN, with a status
        that says why; it raises nothing.

        Args:
            initial_states: (N, D) float64, at times[0].
            parameters: (N, P) float64.
            times: (T,) float64, increasing.
            report: Called with the number of rows done so far, now and then; it may raise to stop.
        """
        ...


class SeldomReport:
    """Passes numbers of rows on to `report`, if there is one, but no sooner than a while after the last."""

    def __init__(self, report: Callable[[int], None] | None) -> None:
        self._report, self._last = report, 0.0

    def __call__(self, rows: int) -> None:
        if self._report is not None and perf_counter() - self._last > REPORT_SECONDS:
            self._report(rows)
            self._last = perf_counter()


def revision_of(described: Mapping[str, Any]) -> int:
    """The revision that an engine's stored description states. Raises EngineError if that is no number."""
    revision = described.get("revision", 0)
    if not isinstance(revision, int) or isinstance(revision, bool) or revision < 0:
        raise EngineError(f"an engine of revision {revision!r:.80}; expected a whole number, 0 or above")
    return revision


def blank_failed(states: np.ndarray, status: np.ndarray) -> Solution:
    """Flag rows with values that are not finite, and make every failed row NaN throughout."""
    with np.errstate(all="ignore"):
        # A finite sum has no NaN and no infinity in it, and costs a fifth of looking at every value.
        total = states.sum()
    if not status.any() and np.isfinite(total):
        return Solution(states, status)
    finite = np.isfinite(states).all(axis=(1, 2))
    status = np.where((status == Status.OK) & ~finite, np.int8(Status.DIVERGED), status).astype(np.int8)
    states[status != Status.OK] = np.nan
    return Solution(states, status)
