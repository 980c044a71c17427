"""Rows on their way through an engine that takes many at once: what goes in, and what comes out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .....data.shard.schema import Status
from ..base.scales import bounds, doubtful, largest, uneven

# A row that gets nowhere has diverged if it has grown so many times since the first half of its way.
LARGE = 1e3

# Two integrations of a row agree to this part of each component's largest value, and to what rounding may leave.
AGREED = 1e-12


@dataclass(frozen=True)
class Batches:
    """Rows, in whatever order they are integrated.

    starts, parameters, times  (D, N), (P, N), (T,): what goes in
    states, status             (N, T, D), (N,) int8: what comes out
    near, before_poles         (N,) bool: which may have come near to a root's end, and to a pole; if all steps are
                               looked at `closely`, `near` are those that came to either
    beyond                     (N,) bool: which came to a place beyond which a series says nothing
    leapt                      (N,) bool: which took very few steps for the grid, or for a piece of it
    longest                    step that is taken
    """

    starts: np.ndarray
    parameters: np.ndarray
    times: np.ndarray
    states: np.ndarray
    status: np.ndarray
    near: np.ndarray
    before_poles: np.ndarray
    beyond: np.ndarray
    leapt: np.ndarray
    closely: bool = False
    longest: float = np.inf

    @classmethod
    def of(
        cls,
        starts: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        *,
        closely: bool = False,
        longest: float = np.inf,
    ) -> "Batches":
        """Rows that go in, (D, N) and (P, N)."""
        size, rows = starts.shape
        return cls(
            np.ascontiguousarray(starts),
            np.ascontiguousarray(parameters),
            times,
            np.empty((rows, len(times), size)),
            np.zeros(rows, dtype=np.int8),
            *(np.zeros(rows, dtype=bool) for _ in range(4)),
            closely=closely,
            longest=longest,
        )

    def part(
        self, rows: np.ndarray, times: np.ndarray, *, closely: bool = False, longest: float = np.inf
    ) -> "Batches":
        """Some of the rows by themselves, to be integrated anew, perhaps along another grid."""
        starts, parameters = self.starts[:, rows], self.parameters[:, rows]
        return Batches.of(starts, parameters, times, closely=closely, longest=longest)

    def agrees(
        self, rows: np.ndarray, again: "Batches", rounded: Callable[["Batches", np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Which (n,) of these rows came out as all of the others, each component by its largest value.

        rounded  gives what rounding may leave in components (m, D) of some of the others
        """
        apart, size = (
            np.abs(states).max(axis=1) for states in (self.states[rows] - again.states, again.states)
        )
        agree = (again.status == Status.OK) & (apart <= AGREED * size).all(axis=1)
        doubted = np.flatnonzero(~agree & (again.status == Status.OK))
        if len(doubted):
            allowed = AGREED * size[doubted] + rounded(again, doubted)
            agree[doubted] = (apart[doubted] <= allowed).all(axis=1)
        return agree

    def uneven(
        self, rows: np.ndarray, first_steps: Callable[["Batches", np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Those of the rows whose components differ too much in size, and these sizes (n, D) in their first steps.

        first_steps  gives states (n, D) of rows after their first step
        """
        first = np.abs(self.starts)
        failed = self.status != Status.OK
        # Of a row that failed no more than the start is known.
        sizes = np.where(failed, first.max(axis=0), bounds(self.states))
        rows = rows[doubtful(first, sizes)[rows]]
        sizes = np.where(failed[rows], sizes[rows], largest(self.states[rows]))
        doubted = doubtful(first[:, rows], sizes)
        rows = rows[doubted]
        first = np.fmax(first[:, rows].T, np.abs(first_steps(self, rows)))
        rough = doubtful(first.T, sizes[doubted])
        for failing in (True, False):
            looked_at = np.flatnonzero(rough & (failed[rows] == failing))
            along = self.starts.T[:, None] if failing else self.states
            rough[looked_at] = uneven(along[rows[looked_at]], first[looked_at])
        return rows[rough], first[rough]

    def has_grown(self, row: int, state: np.ndarray, time: float) -> bool:
        """Has a row that gets nowhere grown without bound, that is at this state (D,) and time?"""
        begin = self.times[0]
        before = self.states[row, self.times <= begin + (time - begin) / 2]
        return bool(np.abs(state).max() > LARGE * np.abs(before).max())


def by_neighbourhood(initial_states: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows in Z-order of their initial states (Morton 1966).

    The lanes of a batch wait for each other, and rows that start close together take steps of about the
    same size: a quarter less time for van der Pol.
    """
    chosen = initial_states[rows]
    low, high = chosen.min(axis=0), chosen.max(axis=0)
    dimension = chosen.shape[1]
    bits = min(6, 62 // dimension)
    if bits == 0:
        return rows
    extent = np.where(high > low, high - low, 1.0)
    cells = ((chosen - low) / extent * (2**bits - 1)).astype(np.uint8)
    # Of each cell its bits, as far apart as there are components.
    numbers = np.arange(2**bits)
    apart = sum(((numbers >> bit) & 1) << (bit * dimension) for bit in range(bits))
    # Keys of 16 bits are sorted in a fifth of the time.
    apart = np.asarray(apart, dtype=np.uint16 if bits * dimension <= 16 else np.int64)
    key = np.zeros(len(rows), dtype=apart.dtype)
    for component in range(dimension):
        key |= apart[cells[:, component]] << component
    return rows[np.argsort(key, kind="stable")]
