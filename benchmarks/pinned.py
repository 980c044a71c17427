"""A contender in a process of its own, held to as many cores as it may use."""

import os
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter

import numpy as np

Solve = Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]
"""Initial states (N, D) and times (T,) -> states, in pieces (n, T, D) in the order of the rows."""


class Pinned:
    """A solver, warm, that waits to be timed.

    setup     imports what it needs and returns a Solve, for so many cores
    cores     which the process, with all its threads and children, may use
    starts    the rows to be solved
    returned  so many rows of the result are kept, in `states`

    `start_up` are the seconds from nothing imported to the first result, less those of a second run.
    `failure` says why it cannot run, None if it can.
    """

    def __init__(
        self, setup: Callable[[int], Solve], cores: int, starts: np.ndarray, times: np.ndarray, returned: int
    ) -> None:
        self.rows = len(starts)
        self.start_up, self.states = 0.0, np.empty(0)
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, setup, cores, starts, times, returned))
        self._process.start()
        theirs.close()
        try:
            self.failure, self.start_up, self.states = self._pipe.recv()
        except EOFError:
            self.failure = "its process died"

    def microseconds(self) -> float:
        """Solve all rows once: microseconds a row."""
        self._pipe.send(True)
        return self._pipe.recv() / self.rows * 1e6

    def close(self) -> None:
        self._pipe.close()
        self._process.join()


def _serve(
    pipe: Connection,
    setup: Callable[[int], Solve],
    cores: int,
    starts: np.ndarray,
    times: np.ndarray,
    returned: int,
) -> None:
    # Before any library starts its threads: they count the cores that they find.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    try:
        begin = perf_counter()
        solve = setup(cores)
        pieces = solve(starts, times)
        first = perf_counter() - begin
        again = _seconds(solve, starts, times)
    except Exception as error:
        pipe.send((f"{type(error).__name__}: {error}".splitlines()[0][:100], 0.0, None))
        return
    pipe.send((None, max(0.0, first - again), np.concatenate(pieces)[:returned]))
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        pipe.send(_seconds(solve, starts, times))


def _seconds(solve: Solve, starts: np.ndarray, times: np.ndarray) -> float:
    begin = perf_counter()
    solve(starts, times)
    return perf_counter() - begin
