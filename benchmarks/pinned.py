"""Work in a process of its own, held to as many cores as it may use."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter
from typing import IO, Any

import numpy as np

Solve = Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]
"""Initial states (N, D) and times (T,) -> states, in pieces (n, T, D) in the order of the rows."""


class Pinned:
    """A solver, warm, that waits to be timed.

    setup     function of an importable module: imports what it needs, returns a Solve for so many cores
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
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        _send(self._requests, (cores, setup, starts, times, returned))
        try:
            self.failure, self.start_up, self.states = pickle.load(self._answers)
        except EOFError:
            self.failure = "its process died"

    def microseconds(self) -> float:
        """Solve all rows once: microseconds a row."""
        _send(self._requests, "again")
        return pickle.load(self._answers) / self.rows * 1e6

    def close(self) -> None:
        self._requests.close()
        self._process.wait()


def alone(cores: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of an importable module gives in a new process that may use so many cores."""
    with ProcessPoolExecutor(1, get_context("spawn"), _hold, (cores,)) as pool:
        return pool.submit(work, *arguments).result()


def _hold(cores: int) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _send(stream: IO[bytes], message: object) -> None:
    pickle.dump(message, stream)
    stream.flush()


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    cores, setup, starts, times, returned = pickle.load(requests)
    # Before any library starts its threads: they count the cores that they find.
    _hold(cores)
    begin = perf_counter()
    try:
        solve = setup(cores)
        pieces = solve(starts, times)
    except Exception as error:
        _send(answers, (f"{type(error).__name__}: {error}".splitlines()[0][:100], 0.0, None))
        return
    first = perf_counter() - begin
    again = _seconds(solve, starts, times)
    _send(answers, (None, max(0.0, first - again), np.concatenate(pieces)[:returned]))
    while _next(requests):
        _send(answers, _seconds(solve, starts, times))


def _next(requests: IO[bytes]) -> bool:
    try:
        pickle.load(requests)
    except EOFError:
        return False
    return True


def _seconds(solve: Solve, starts: np.ndarray, times: np.ndarray) -> float:
    begin = perf_counter()
    solve(starts, times)
    return perf_counter() - begin


if __name__ == "__main__":
    # What libraries print must not come between the answers.
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, stream)
