"""One experiment: its sections, their keys, types and defaults. Read from a file by `config_file`."""

from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from ..data.block_sizes import BLOCK_BYTES, BUFFER_BYTES
from ..data.errors import TrajstoreError
from ..data.format import SPLITS, Diagnostic, mentions_delay, without_sizes
from .diagnostics import check_diagnostics
from .draws import Draw, Range, Value, parameter_rows
from .engines import EngineSettings
from .observation import Observation
from .starts import InitialStates
from .systems import Parameter, System, get_system
from .systems.delay import DelaySystem
from .systems.hamiltonian import from_hamiltonian
from .times import GridSection

# Shards are cut so that a shard's states stay near this size where shard_rows is left out.
SHARD_BYTES = 64 << 20
MAX_SHARD_ROWS = 65_536


class ConfigError(TrajstoreError):
    """A config that cannot be read: names the key, what it got and what it takes."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Target = Literal["observed", "clean"]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class SystemSection(Section):
    """A system of the library by name, or one of your own with its equations, or its energy alone.

    size         how many components, of systems of any size
    hamiltonian  the energy as text; with `momenta`, coordinate -> its momentum, the equations follow from it; beside
                 equations it is what diagnostics call the energy
    period       a natural time scale
    """

    name: str
    size: PositiveInt | None = None
    equations: dict[str, str] | None = None
    hamiltonian: str | None = None
    momenta: dict[str, str] | None = None
    parameters: dict[str, Value] = {}
    initial_state: dict[str, Range] | None = None
    time_unit: str | None = None
    description: str | None = None
    reference: str | None = None
    period: PositiveFloat | None = None

    def build(self) -> System:
        """The System. Raises TrajstoreError if the parts do not fit together."""
        boxes = {name: (low, high) for name, (low, high) in (self.initial_state or {}).items()}
        for name, (low, high) in boxes.items():
            if not 0 <= high - low < float("inf"):
                raise ConfigError(f"system.initial_state.{name}: got [{low}, {high}], expected [low, high]")
        more = {
            key: value
            for key in ("time_unit", "description", "reference", "period")
            if (value := getattr(self, key)) is not None
        }
        if self.equations is not None or self.hamiltonian is not None:
            if self.size is not None:
                raise ConfigError("system.size: is for systems of the library; equations of your own say it")
            if self.initial_state is None:
                pairs = self.momenta or {}
                states = self.equations or (*pairs, *pairs.values())
                raise ConfigError(
                    "system.initial_state: missing; a system of your own needs a range [low, high] for "
                    f"each of {', '.join(states)}"
                )
            parameters = {name: _parameter(value) for name, value in self.parameters.items()}
            if self.equations is not None and self.momenta is None:
                made = DelaySystem if mentions_delay(self.equations) else System
                return made(
                    self.name, self.equations, parameters, boxes, hamiltonian=self.hamiltonian, **more
                )
            if self.equations is not None:
                raise ConfigError(
                    "system.momenta: got equations, too, which already say how the state moves; leave out momenta "
                    "(a hamiltonian is then the energy alone), or leave out equations, which follow from hamiltonian "
                    "and momenta"
                )
            if self.hamiltonian is None or not self.momenta:
                raise ConfigError(
                    "system.momenta: missing; a hamiltonian needs the momentum of each coordinate, as in "
                    'momenta = { q = "p" }, or equations beside it'
                )
            states = (*self.momenta, *self.momenta.values())
            if len(set(states)) == len(states) and set(boxes) != set(states):
                raise ConfigError(
                    f"system.momenta: makes {', '.join(states)} the states, but initial_state has ranges for "
                    f"{', '.join(boxes) or 'none'}; expected the same names in both"
                )
            return from_hamiltonian(self.name, self.hamiltonian, self.momenta, parameters, boxes, **more)
        if self.momenta is not None:
            raise ConfigError(
                'system.momenta: goes with a hamiltonian of your own, as in hamiltonian = "p**2/2 + q**2/2"'
            )
        known = get_system(self.name, self.size)
        for kind, given, allowed in (
            ("parameters", self.parameters, known.parameters),
            ("initial_state", boxes, known.equations),
        ):
            for name in given:
                if name not in allowed:
                    raise ConfigError(
                        f"system.{kind}.{name}: {self.name} has no {name!r}; it has {', '.join(allowed)}"
                    )
        parameters = {
            name: _parameter(self.parameters.get(name, default.value), default.unit, default.meaning)
            for name, default in known.parameters.items()
        }
        if known.spatial:
            # A field has one range for all its points.
            boxes = {state: box for box in boxes.values() for state in known.states}
        raw = {**known.to_dict(), **more, "initial_state": {**known.initial_state, **boxes}}
        if self.parameters or self.size is not None:
            # They are those of the library's own values.
            raw = {
                key: value for key, value in raw.items() if key in more or key not in ("lyapunov", "period")
            }
        return System.from_dict({**raw, "parameters": {k: vars(p) for k, p in parameters.items()}})


def _parameter(value: float | Draw, unit: str = "1", meaning: str = "") -> Parameter:
    if isinstance(value, Draw):
        return Parameter(unit=unit, meaning=meaning, draw=value.to_dict())
    return Parameter(value, unit, meaning)


class DatasetSection(Section):
    """How many trajectories, from which seed, stored how; `diagnostics` are measured of each row."""

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
    # Of publication, "2026-11-22". No clock enters a dataset, so it is given or not said.
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


class TaskSection(Section):
    """What the network learns, see `trajstore.data.tasks`; `window` is in samples, None is all.

    parameters  of the system, that the network is told beside the states, so that it can learn a family
    target      of a dataset observed with noise: learn and be judged by the states as "observed", or by the "clean"
                ones, where they are stored; the network sees what was observed either way
    """

    name: Literal["initial-value", "forecast"] = "initial-value"
    window: PositiveInt | None = None
    stride: PositiveInt = 1
    normalize: bool = False
    parameters: list[str] = []
    target: Target = "observed"

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Runs that were made before there was a choice stay the same runs.
        return {key: value for key, value in dump(self).items() if (key, value) != ("target", "observed")}


class ModelSection(Section):
    """The network, see `trajstore.models`; `encoder` gives widths of a network from x(0) to the hidden state."""

    name: Literal["lstm", "gru"] = "lstm"
    hidden: PositiveInt = 20
    layers: PositiveInt = 1
    encoder: list[PositiveInt] = []


class TrainingSection(Section):
    """How it learns. Steps are optimiser steps; None leaves a thing out or, for threads, to trajstore.

    shuffle       "full" mixes all samples, "block" is for datasets larger than memory, see `make_loader`
    block_bytes   of rows that are read together, and
    buffer_bytes  of rows in memory at once, where the shuffle is in blocks
    """

    optimizer: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: PositiveFloat = 1e-2
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: NonNegativeInt = 0
    batch: PositiveInt = 256
    steps: PositiveInt = 20_000
    seed: Seed = 0
    shuffle: Literal["full", "block"] = "full"
    block_bytes: PositiveInt = BLOCK_BYTES
    buffer_bytes: PositiveInt = BUFFER_BYTES
    clip: PositiveFloat | None = None
    evaluate_every: PositiveInt = 500
    patience: PositiveInt | None = None
    device: str = "auto"
    threads: PositiveInt | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """How `make_loader` orders the samples."""
        sizes = {"block_bytes": self.block_bytes, "buffer_bytes": self.buffer_bytes}
        return {"shuffle": "block" if self.shuffle == "block" else True, **sizes}

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A full shuffle does not depend on them, and runs that were made before them stay the same runs.
        unused = ("shuffle", "block_bytes", "buffer_bytes") if self.shuffle == "full" else ()
        return {key: value for key, value in dump(self).items() if key not in unused}


class RefinementSection(Section):
    """A second phase of training, by Levenberg and Marquardt's method, see `second_order`; 0 steps is none.

    batch samples give the gradient of a step; of these, `samples` with `probes` random directions each give the
    curvature, of which the part `memory` is kept from step to step.
    """

    steps: NonNegativeInt = 0
    batch: PositiveInt = 4_096
    samples: PositiveInt = 1_000
    probes: PositiveInt = 4
    memory: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    damping: PositiveFloat = 1e-4
    evaluate_every: PositiveInt = 20


class EvaluationSection(Section):
    """Long rollouts: how many, and how many trajectory lengths each is chained for."""

    rollouts: PositiveInt = 64
    rollout_lengths: PositiveInt = 50


class Learning(Section):
    """What decides a run, given its dataset."""

    task: TaskSection = TaskSection()
    model: ModelSection = ModelSection()
    training: TrainingSection = TrainingSection()
    refinement: RefinementSection = RefinementSection()
    evaluation: EvaluationSection = EvaluationSection()

    def learning(self) -> dict[str, Any]:
        """All that decides the weights, JSON-ready: task, model, training, refinement."""
        return {
            "task": self.task.model_dump(),
            "model": self.model.model_dump(),
            "training": self.training.model_dump(),
            "refinement": self.refinement.model_dump(),
        }


class Experiment(Learning):
    """A whole config file."""

    system: SystemSection
    grid: GridSection
    dataset: DatasetSection
    engine: EngineSettings = EngineSettings()
    initial_states: InitialStates = InitialStates()
    observation: Observation = Observation()

    @cached_property
    def dynamics(self) -> System:
        """The system, built and checked."""
        system = self.system.build()
        rows = sum(getattr(self.dataset, split) for split in SPLITS)
        self.initial_states.check(system, rows)
        self.observation.check(system)
        check_diagnostics(self.dataset.diagnostics or (), system)
        return system

    @cached_property
    def times(self) -> np.ndarray:
        """The grid, (T,) float64. Raises TrajstoreError if the system has no period to measure it by."""
        return self.grid.times(self.dynamics.period)

    @property
    def initial_time(self) -> float:
        """When rows have their initial states: at 0, the first time of the grid.

        A delay equation goes on from its whole past, so a transient of it is no way to a state to begin with: rows
        begin where the transient does, and the grid later.
        """
        transient = self.initial_states.transient
        return 0.0 if transient is None or not isinstance(self.dynamics, DelaySystem) else -transient

    def initial_state_rows(self, split: str, start: int, stop: int) -> np.ndarray:
        """Initial states of rows start to stop of a split, (n, D) float64, before any transient."""
        before = self._rows_before()[split]
        return self.initial_states.rows(self.dynamics, self.dataset.seed, split, start, stop, before)

    def _rows_before(self) -> dict[str, int]:
        """For each split the rows of the splits before it."""
        sizes = [getattr(self.dataset, split) for split in SPLITS]
        return {split: sum(sizes[:number]) for number, split in enumerate(SPLITS)}

    def parameter_rows(self, split: str, start: int, stop: int) -> np.ndarray:
        """Values of the system's parameters in rows start to stop of a split, (n, P) float64."""
        values = [
            self.system.parameters.get(name, known.value) for name, known in self.dynamics.parameters.items()
        ]
        return parameter_rows(values, self.dataset.seed, split, start, stop)

    @cached_property
    def shard_rows(self) -> int:
        if self.dataset.shard_rows is not None:
            return self.dataset.shard_rows
        row = len(self.times) * len(self.dynamics.states) * np.dtype(self.dataset.dtype).itemsize
        return max(1, min(MAX_SHARD_ROWS, SHARD_BYTES // row))

    def generation(self) -> dict[str, Any]:
        """All that decides a dataset, resolved, JSON-ready: system, grid, dataset, engine."""
        system = self.dynamics.to_dict()
        return {
            "system": system,
            "grid": {
                "duration": float(self.times[-1]),
                "points": len(self.times),
                "resample": self.grid.resample,
                **({"initial_time": self.initial_time} if self.initial_time else {}),
            },
            "dataset": {
                **self.dataset.model_dump(exclude_none=True),
                "shard_rows": self.shard_rows,
                "title": self.dataset.title or f"Trajectories of the system {system['name']}",
            },
            "engine": self.engine.resolve(self.grid.resample, self.dynamics).model_dump(exclude_none=True),
            **(
                {}
                if self.initial_states.kind == "box"
                else {"initial_states": self.initial_states.to_dict(self._rows_before())}
            ),
            **(
                {"observation": observation}
                if (observation := self.observation.to_dict(self.dynamics))
                else {}
            ),
        }

    def recipe(self) -> dict[str, Any]:
        """`generation` without the sizes of the splits: what decides the content of a row."""
        return without_sizes(self.generation())
