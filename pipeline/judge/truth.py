"""What rows of a dataset truly do: integrated anew from their exact initial states, at any times."""

from typing import TYPE_CHECKING, Self

import numpy as np

from ...data.folder.stated_grid import grid_of, initial_time
from ...data.shard.schema import LYAPUNOV_EXPONENT, Status
from ..dynamics.diagnostics import lyapunov_exponents
from ..dynamics.engines import EngineSettings, make_engine
from ..dynamics.lyapunov import most_exponents
from ..dynamics.systems import System, system_of
from .kept_solutions import keeping

if TYPE_CHECKING:
    from ...data.batches.dataset import TrajectoryDataset

# States of more components than these are looked at as images, of fewer as curves.
CURVES = 6
# A curve of so many points has no corners that are seen.
SMOOTH_POINTS = 1_000


class Truth:
    """Integrates rows of a split again, however loosely or coarsely the dataset has them.

    system      of the dataset
    engine      the default one for it
    observed    places of the dataset's components among the system's states
    """

    def __init__(self, dataset: "TrajectoryDataset", system: System) -> None:
        self._store = dataset.store
        self._columns: dict[str, np.ndarray] = {}
        self._begin = initial_time(grid_of(dataset.store.config, dataset.store.split))
        engine = make_engine(system, EngineSettings())
        self.system, self.engine = system, keeping(engine, dataset.store.config["system"])
        self.observed = [system.states.index(name) for name in dataset.components]

    @classmethod
    def of(cls, dataset: "TrajectoryDataset") -> Self | None:
        """None of measured data, which have no equations."""
        system = system_of(dataset.store.config)
        return None if system is None else cls(dataset, system)

    def parameters(self, rows: np.ndarray) -> np.ndarray:
        """(N, P) of these rows of the split."""
        values = np.empty((len(rows), len(self.system.parameters)))
        for column, name in enumerate(self.system.parameters):
            values[:, column] = self._column(name)[rows]
        return values

    @property
    def lyapunov(self) -> float | None:
        """The largest Lyapunov exponent, a unit of time: the system's, or the mean of those stored with the rows."""
        if self.system.lyapunov is not None:
            return self.system.lyapunov
        if LYAPUNOV_EXPONENT not in self._store.config["dataset"].get("diagnostics", []):
            return None
        found = self._column(LYAPUNOV_EXPONENT)
        found = found[np.isfinite(found)]
        return float(found.mean()) if len(found) else None

    def exponents(
        self, starts: np.ndarray, parameters: np.ndarray, rows: np.ndarray, begin: float, times: np.ndarray
    ) -> list[float]:
        """Largest Lyapunov exponents of the equations, a unit of time, over times (T,) after those of starts (N, S).

        begin  the time at which all states of the system are `starts`

        None at all where no tangent vector can be carried along.
        """
        system = self.system
        if not (system.ordinary and system.continuous and most_exponents(system) >= 1):
            return []
        states = self.engine.solve(starts, parameters, np.concatenate([[begin], times])).states[:, 1:]
        return lyapunov_exponents(
            system, EngineSettings(), states, parameters, times, 0, self._store.split, rows
        ).tolist()

    def _column(self, name: str) -> np.ndarray:
        # Kept, for each look into the files opens and checks every shard.
        if name not in self._columns:
            self._columns[name] = self._store.column(name)
        return self._columns[name]

    def along(self, rows: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All states (n, T, S) at increasing times of those rows that do not fail; and which these are, (N,) bool."""
        # A grid may begin later than its rows.
        before = np.array([self._begin] if self._begin < times[0] else [])
        starts = self._column("initial_state")[rows]
        if len(before) + len(times) == 1:
            # Nothing to integrate over.
            return starts[:, None].astype(np.float64), np.ones(len(rows), dtype=bool)
        solution = self.engine.solve(starts, self.parameters(rows), np.concatenate([before, times]))
        sound = solution.status == Status.OK
        return solution.states[sound, len(before) :], sound

    def smooth(
        self, row: int, times: np.ndarray, points: int = SMOOTH_POINTS
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Times (M,) and observed states (M, D) of one row, at times (T,) and between them: so many in all, or more.

        None if these times are enough, or if the row fails.
        """
        parts = -(-points // max(1, len(times) - 1))
        if parts == 1 or len(times) < 2:
            return None
        samples = np.arange(len(times))
        fine = np.interp(np.arange((len(times) - 1) * parts + 1) / parts, samples, times)
        states, _ = self.along(np.array([row]), fine)
        return (fine, states[0][:, self.observed]) if len(states) else None
