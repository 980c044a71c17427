"""The sections that decide a run, given its dataset: [task], [model], [training], [refinement], [evaluation]."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from ...data.base.own_code import OwnCode
from ...data.base.section import Section, Seed
from ...data.batches.block_sizes import BLOCK_BYTES, BUFFER_BYTES
from ...data.tasks.registry import TASKS
from ...models.registry import MODELS
from ...models.settings import SETTINGS
from .learners import LearnerSection, LevenbergMarquardtSettings
from .named import NamedSection

Target = Literal["observed", "clean"]


class TaskSection(NamedSection):
    """What the network learns, see `trajstore.data.tasks`, and the settings of the task.

    Attributes:
        name: "initial-value", a whole trajectory from its first state; "forecast", the next state from those before;
            "observe", some components from others; "vector-field", dx/dt from the state; or one of your own.
        window: Points of each sample; left out: whole rows, or as many as the shortest row of any split has; of
            "vector-field" single points.
        stride: Points from one sample to the next.
        normalize: Whether states are standardised by the moments of the train split.
        parameters: Of the system, that the network is told beside the states, so that it can learn a family.
        target: Of a dataset with noise: learn and be judged by the states as "observed", or by the "clean" ones,
            where they are stored; the network sees what was observed either way, except in "vector-field".
    """

    registry = TASKS
    name: str = "initial-value"
    window: PositiveInt | None = None
    stride: PositiveInt = 1
    normalize: bool = False
    parameters: list[str] = Field(default_factory=list)
    target: Target = "observed"

    @property
    def usual_window(self) -> int | None:
        """Points of a sample where `window` is left out, of a task of ours that has no use for whole rows."""
        return TASKS.find(self.name).usual_window if self.name in TASKS.names() else None

    @property
    def cut(self) -> dict[str, Any]:
        """How a TrajectoryDataset cuts samples from rows, and what it takes the targets from."""
        return {"window": self.window, "stride": self.stride, "target": self.target}

    # Runs that were made before there was a choice stay the same runs.
    unstated: ClassVar[dict[str, Any]] = {"sha256": None, "target": "observed"}


class ModelSection(NamedSection):
    """The network, see `trajstore.models`, and its settings.

    Attributes:
        name: "lstm", "gru", "rhn", "lru", "mamba", "transformer", "nbeats", "reservoir", "mlp", "hnn",
            "random-features", "neural-ode", "latent-hnn", "shplrnn", "alrnn", "dendplrnn", or one of your own.
    """

    registry = MODELS
    name: str = "lstm"

    @classmethod
    def own_settings(cls, name: str) -> type[BaseModel] | None:
        # Of ours without torch, which takes seconds to import.
        return SETTINGS.get(name) or super().own_settings(name)


class TrainingSection(Section):
    """How it learns. Steps are optimiser steps.

    Attributes:
        optimizer: "sgd", "adam", "adamw" or "radam".
        learning_rate: At its highest.
        schedule: "constant", "cosine": down to 0 over the steps, or "exponential": down to `final_learning_rate`.
        final_learning_rate: What is reached after the last step, where the schedule is "exponential".
        warmup: Steps over which the learning rate rises from 0.
        batch: Samples a step, over all processes.
        steps: How many.
        seed: Of weights and of the order of samples.
        shuffle: "full" mixes all samples, "block" is for datasets larger than memory, see `make_loader`.
        block_bytes: Of rows that are read together, where the shuffle is in blocks.
        buffer_bytes: Of rows in memory at once, where the shuffle is in blocks.
        clip: The largest norm of a gradient; left out: any.
        weight_decay: By which weights are drawn to zero: with "adamw" by itself, else as half their square in the
            loss; left out: 0.01 of "adamw", 0 of others.
        dtype: Of weights and samples, "float32" or "float64".
        evaluate_every: Steps from one look at the validation split to the next.
        patience: Evaluations in a row that were no better, after which a phase ends; left out: none ends it.
        select: The metric of the validation split by which the best weights are chosen, and patience counts; left
            out: the mean squared error.
        select_points: Of each free run, where that metric is over these.
        learner: What changes the weights, and its settings; left out: what the model says of itself.
        minutes: Of training, over all of a run's sittings, after which it ends; such a run is not repeatable.
        device: "auto", "cpu", "cuda" or "cuda:0" and so on.
        threads: Of torch; left out: as many as the network has use for.
    """

    optimizer: Literal["sgd", "adam", "adamw", "radam"] = "adam"
    learning_rate: PositiveFloat = 1e-2
    schedule: Literal["constant", "cosine", "exponential"] = "cosine"
    final_learning_rate: PositiveFloat = 1e-6
    warmup: NonNegativeInt = 0
    batch: PositiveInt = 256
    steps: PositiveInt = 20_000
    seed: Seed = 0
    shuffle: Literal["full", "block"] = "full"
    block_bytes: PositiveInt = BLOCK_BYTES
    buffer_bytes: PositiveInt = BUFFER_BYTES
    clip: PositiveFloat | None = None
    weight_decay: NonNegativeFloat | None = None
    dtype: Literal["float32", "float64"] = "float32"
    evaluate_every: PositiveInt = 500
    patience: PositiveInt | None = None
    select: str | None = None
    select_points: PositiveInt = 25_000
    learner: LearnerSection | None = None
    minutes: PositiveFloat | None = None
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
        unused = {"shuffle", "block_bytes", "buffer_bytes"} if self.shuffle == "full" else set()
        added = (
            "minutes",
            "select",
            "select_points",
            "weight_decay",
            "dtype",
            "learner",
            "final_learning_rate",
        )
        unused |= {key for key in added if getattr(self, key) == type(self).model_fields[key].default}
        return {key: value for key, value in dump(self).items() if key not in unused}


class RefinementSection(LevenbergMarquardtSettings):
    """A second phase of training, by Levenberg and Marquardt; 0 steps is none.

    Attributes:
        steps: How many.
        batch: Samples that give the gradient of a step.
        evaluate_every: Steps from one look at the validation split to the next.
    """

    steps: NonNegativeInt = 0
    batch: PositiveInt = 4_096
    evaluate_every: PositiveInt = 20


class EvaluationSection(Section):
    """Long rollouts, and what they are judged by.

    Attributes:
        rollouts: How many starts in all; of "observe", how many whole rows are run over.
        rollout_lengths: How long each is, in windows; in whole rows where `task.window` is left out, and of fields.
            Measured data end it where the row ends.
        warmup: Points of true history before each; left out: what the task has; 0: a cold start.
        metrics: Beside the usual ones: by name those that take long, or your own as "file.py:Class" or
            "package.module:Class".
        baselines: What is rolled out beside, by name; left out: the usual ones for such data.
        statistics_points: Of each free run, where one of the metrics is over these.
        figures: Of your own, as "file.py:function" or "package.module:function".
    """

    rollouts: PositiveInt = 64
    rollout_lengths: PositiveInt = 50
    warmup: NonNegativeInt | None = None
    metrics: list[str] = Field(default_factory=list)
    baselines: list[str] | None = None
    statistics_points: Annotated[int, Field(ge=100)] = 100_000
    figures: list[str] = Field(default_factory=list)
    added: ClassVar[tuple[str, ...]] = ("warmup", "metrics", "baselines", "statistics_points", "figures")

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Configs that were stored before there were these keys stay as they are.
        unsaid = {
            key: type(self).model_fields[key].get_default(call_default_factory=True) for key in self.added
        }
        return {key: value for key, value in dump(self).items() if key not in unsaid or value != unsaid[key]}


class Learning(Section):
    """What decides a run, given its dataset."""

    task: TaskSection = TaskSection()
    model: ModelSection = ModelSection()
    training: TrainingSection = TrainingSection()
    refinement: RefinementSection = RefinementSection()
    evaluation: EvaluationSection = EvaluationSection()
    # Where code of a user's own lies that the config names, and whether it may run.
    _code: OwnCode = PrivateAttr(default_factory=OwnCode)

    def with_code(self, code: OwnCode) -> Self:
        """The same, with its code there."""
        self._code = code
        return self

    @property
    def code(self) -> OwnCode:
        """What lets code that the config names run."""
        return self._code

    def code_of(self, section: NamedSection) -> OwnCode:
        return replace(self._code, sha256=section.sha256)

    def learning(self) -> dict[str, Any]:
        """All that decides the weights, JSON-ready: task, model, training, refinement."""
        return {
            "task": self.task.model_dump(),
            "model": self.model.model_dump(),
            "training": self.training.model_dump(),
            "refinement": self.refinement.model_dump(),
        }
