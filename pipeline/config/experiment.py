"""One experiment: its sections, their keys, types and defaults. Read from a file by `file`."""

import datetime
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from ...data.base.plain_words import got
from ...data.base.section import Section, Seed
from ...data.folder.stated_grid import GRIDS, STARTS
from ...data.shard.schema import SPLITS, Diagnostic, without_sizes
from ...data.shard.sizes import rows_of_shard
from ..dynamics.diagnostics import check_diagnostics
from ..dynamics.engines import EngineSettings
from ..dynamics.initial_states import InitialStates
from ..dynamics.parameters import draw_of, parameter_rows
from ..dynamics.systems import System
from .grid import GridSection
from .learning import Learning
from .observation import Observation
from .system import Split, SystemSection

# As of ISO 8601, for a dataset may be older than its day is known.
DATE_FORMATS = {4: "%Y", 7: "%Y-%m", 10: "%Y-%m-%d"}


def _date(value: Any) -> str:
    """A day, a month or a year; TOML has days of its own. One with a time of day is none of publication."""
    text = value.isoformat() if type(value) is datetime.date else value
    try:
        datetime.datetime.strptime(text, DATE_FORMATS[len(text)])
        text.encode("ascii")
    except (TypeError, KeyError, ValueError):
        raise ValueError(
            f"{got(value)}, expected a day of the calendar without a time, as in 2026-11-22, or a month or a year, "
            'as in "2026-11" and "2026"'
        ) from None
    return text


class DatasetSection(Section):
    """How many trajectories, from which seed, stored how.

    Attributes:
        train: Rows to learn from.
        validation: Rows by which weights are chosen.
        test: Rows by which they are judged.
        seed: Of all that is drawn.
        dtype: "float32" or "float64".
        shard_rows: Rows a file; left out: so many that a file stays near 64 MiB.
        compression: "none" or "gzip".
        diagnostics: Measured of each row: "energy_drift", "lyapunov_exponent".
        title: In the card.
        license: In the card, best an SPDX identifier.
        creator: In the card.
        date: Of publication: a day, a month or a year.
    """

    train: PositiveInt
    validation: NonNegativeInt = 0
    test: NonNegativeInt = 0
    seed: Seed = 0
    dtype: Literal["float32", "float64"] = "float32"
    shard_rows: PositiveInt | None = None
    compression: Literal["none", "gzip"] = "none"
    diagnostics: Annotated[list[Diagnostic], Field(min_length=1)] | None = None
    title: str | None = None
    license: str = "unspecified"
    creator: str = "unspecified"
    # Of publication. No clock enters a dataset, so it is given or not said.
    date: Annotated[str, BeforeValidator(_date)] | None = None


class Experiment(Learning):
    """A whole config file, checked, with defaults filled in.

    Attributes:
        system: The equations.
        grid: The times at which trajectories are stored.
        dataset: How many trajectories there are, from which seed, and how they are stored.
        engine: How they are integrated.
        initial_states: Where they begin.
        initial_states_by_split: Where those of a split begin that has a section of its own.
        observation: What is stored of them.
        task: What is learned from them.
        model: The network.
        training: How it is trained.
        refinement: How it is refined after that.
        evaluation: How it is judged.
    """

    system: SystemSection
    grid: GridSection
    dataset: DatasetSection
    engine: EngineSettings = EngineSettings()
    initial_states: InitialStates = InitialStates()
    initial_states_by_split: dict[Split, InitialStates] = Field(default_factory=dict)
    observation: Observation = Observation()

    @classmethod
    def known_keys(cls, raw: Any) -> list[str]:
        generating = [key for key in cls.model_fields if key not in Learning.model_fields]
        return [*generating, *Learning.model_fields]

    @cached_property
    def dynamics(self) -> System:
        """The system, built and checked."""
        system = self.system.build()
        self.initial_states.check(system, sum(self._rows_of(split) for split in self._alike))
        for split, section in self.initial_states_by_split.items():
            section.check(system, self._rows_of(split), f"initial_states_by_split.{split}")
        self.observation.check(system)
        check_diagnostics(self.dataset.diagnostics or (), system)
        return system

    @cached_property
    def times(self) -> np.ndarray:
        """The grid, (T,) float64. Raises TrajstoreError if the system has no period to measure it by."""
        return self.grid.times(self.dynamics.period)

    @cached_property
    def _own_times(self) -> dict[str, np.ndarray]:
        return {split: self.grid.times(self.dynamics.period, split) for split in self.grid.splits}

    def times_of(self, split: str) -> np.ndarray:
        """The times of a split's rows, (T,) float64. Raises TrajstoreError as `times` does."""
        return self._own_times.get(split, self.times)

    def initial_states_of(self, split: str) -> InitialStates:
        """Where the rows of a split begin."""
        own: dict[str, InitialStates] = {**self.initial_states_by_split}
        return own.get(split, self.initial_states)

    def initial_time_of(self, split: str) -> float:
        """When the rows of a split have their initial states: at 0, the first time of the grid.

        A delay equation goes on from its whole past, so a transient of it is no way to a state to begin with: rows
        begin where the transient does, and the grid later.
        """
        return self._initial_time(self.initial_states_of(split))

    def _initial_time(self, starts: InitialStates) -> float:
        transient = starts.transient_of(self.dynamics)
        return 0.0 if transient is None or not self.dynamics.retarded else -transient

    def initial_state_rows(self, split: str, start: int, stop: int) -> np.ndarray:
        """Initial states of rows start to stop of a split, (n, D) float64, before any transient."""
        before = self._rows_before().get(split, 0)
        return self.initial_states_of(split).rows(
            self.dynamics, self.dataset.seed, split, start, stop, before
        )

    def _rows_of(self, split: str) -> int:
        return getattr(self.dataset, split)

    @property
    def _alike(self) -> list[str]:
        """The splits whose rows begin as [initial_states] says."""
        return [split for split in SPLITS if split not in self.initial_states_by_split]

    def _rows_before(self) -> dict[str, int]:
        """For each split that begins as [initial_states] says the rows of those before it."""
        sizes = [self._rows_of(split) for split in self._alike]
        return {split: sum(sizes[:number]) for number, split in enumerate(self._alike)}

    def parameter_rows(self, split: str, start: int, stop: int) -> np.ndarray:
        """Values of the system's parameters in rows start to stop of a split, (n, P) float64."""
        values = [draw_of(parameter, split) for parameter in self.dynamics.parameters.values()]
        return parameter_rows(values, self.dataset.seed, split, start, stop)

    @cached_property
    def shard_rows(self) -> int:
        if self.dataset.shard_rows is not None:
            return self.dataset.shard_rows
        return self._rows_of_shard(self.times)

    def shard_rows_of(self, split: str) -> int:
        """Rows of a split's shards: as many as are asked for, or of its own grid as many as make a shard of it."""
        own = self.dataset.shard_rows is None and split in self._own_times
        return self._rows_of_shard(self._own_times[split]) if own else self.shard_rows

    def _rows_of_shard(self, times: np.ndarray) -> int:
        return rows_of_shard(len(times), len(self.dynamics.states), self.dataset.dtype)

    def generation(self) -> dict[str, Any]:
        """All that decides a dataset, resolved, JSON-ready: system, grid, dataset, engine."""
        system = self.dynamics.to_dict()
        return {
            "system": system,
            "grid": self._stated_grid(),
            "dataset": {
                **self.dataset.model_dump(exclude_none=True),
                "shard_rows": self.shard_rows,
                "title": self.dataset.title or f"Trajectories of the system {system['name']}",
            },
            "engine": self.engine.resolve(self.grid.resample, self.dynamics).model_dump(exclude_none=True),
            **(
                {}
                if self.initial_states.kind == "box"
                else {"initial_states": self.initial_states.to_dict(self.dynamics, self._rows_before())}
            ),
            **({STARTS: own} if (own := self._own_starts()) else {}),
            **(
                {"observation": observation}
                if (observation := self.observation.to_dict(self.dynamics))
                else {}
            ),
        }

    def _stated_grid(self) -> dict[str, Any]:
        """The grid, and those of splits that have another."""
        common = self._stated(self.times, self._initial_time(self.initial_states))
        own = {
            split: grid
            for split in SPLITS
            if (grid := self._stated(self.times_of(split), self.initial_time_of(split))) != common
        }
        for split, grid in own.items():
            if (rows := self.shard_rows_of(split)) != self.shard_rows:
                grid["shard_rows"] = rows
        return {**common, "resample": self.grid.resample, **({GRIDS: own} if own else {})}

    @staticmethod
    def _stated(times: np.ndarray, initial_time: float) -> dict[str, Any]:
        return {
            "duration": float(times[-1]),
            "points": len(times),
            **({"initial_time": initial_time} if initial_time else {}),
        }

    def _own_starts(self) -> dict[str, Any]:
        """The sections of splits whose rows begin otherwise than those of others."""
        shared = self.initial_states.to_dict(self.dynamics, self._rows_before())
        return {
            split: own
            for split in SPLITS
            if (section := self.initial_states_by_split.get(split))
            and (own := section.to_dict(self.dynamics, {})) != shared
        }

    def recipe(self) -> dict[str, Any]:
        """`generation` without the sizes of the splits: what decides the content of a row."""
        return without_sizes(self.generation())
