"""Solutions that the runs of a study share: the truth of a field takes a minute or two, and is the same for each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ...data.base.files import atomic_path
from ...data.base.hashing import content_hash, json_hash
from ..dynamics.engines import Engine, Solution

# Seconds of integration: what takes less is not worth a file.
WORTH_KEEPING = 5.0

_folder: ContextVar[Path | None] = ContextVar("folder of kept solutions", default=None)


@contextmanager
def solutions_kept_in(folder: Path) -> Iterator[None]:
    """Whatever is judged meanwhile reads long solutions from this folder, which is made where it is missing, or
    writes them there."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def keeping(engine: Engine, system: dict[str, Any]) -> Engine:
    """The same engine, or one that keeps what it solves, where a folder for that is named.

    system  the section of a dataset's config, which tells all equations
    """
    folder = _folder.get()
    return engine if folder is None else KeepingEngine(engine, system, folder, WORTH_KEEPING)


class KeepingEngine:
    """Solves nothing twice that took so many seconds: a file each, named by all that a solution depends on."""

    def __init__(self, engine: Engine, system: dict[str, Any], folder: Path, worth: float) -> None:
        self._engine, self._folder, self._worth = engine, folder, worth
        self._equations = json_hash({"system": system, "engine": engine.describe()})
        self.threads = engine.threads

    def describe(self) -> dict[str, Any]:
        return self._engine.describe()

    def solve(
        self,
        initial_states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        report: Callable[[int], None] | None = None,
    ) -> Solution:
        """See `Engine.solve`."""
        asked = {"initial_states": initial_states, "parameters": parameters, "times": times}
        path = self._folder / f"{content_hash({**asked, 'equations': [self._equations]})}.npz"
        found = _read(path)
        if found is not None:
            return found
        begin = perf_counter()
        solution = self._engine.solve(initial_states, parameters, times, report)
        if perf_counter() - begin >= self._worth:
            # What cannot be kept is solved again.
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                with atomic_path(path) as temporary, temporary.open("wb") as file:
                    np.savez(file, states=solution.states, status=solution.status)
        return solution


def _read(path: Path) -> Solution | None:
    """None where there is none, or none that is whole: each array has a checksum in a file of this kind."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            return Solution(file["states"], file["status"])
    except Exception:
        # A damaged archive fails in a dozen ways; in each of them it is solved again.
        return None
