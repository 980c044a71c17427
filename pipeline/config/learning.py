"""The sections that decide a run, given its dataset: [task], [model], [training], [refinement], [evaluation]."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from ...data.base.section import Section, Seed
from ...data.batches.block_sizes import BLOCK_BYTES, BUFFER_BYTES

Target = Literal["observed", "clean"]


class TaskSection(Section):
    """What the network learns, see `trajstore.data.batches.tasks`; `window` is in samples, None is all.

    parameters  of the system, that the network is told beside the states, so that it can learn a family
    target      of a dataset observed with noise: learn and be judged by the states as "observed", or by the "clean"
                ones, where they are stored; the network sees what was observed either way
    """

    name: Literal["initial-value", "forecast"] = "initial-value"
    window: PositiveInt | None = None
    stride: PositiveInt = 1
    normalize: bool = False
    parameters: list[str] = Field(default_factory=list)
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
    encoder: list[PositiveInt] = Field(default_factory=list)


class TrainingSection(Section):
    """How it learns. Steps are optimiser steps; None leaves a thing out or, for threads, to trajstore.

    shuffle       "full" mixes all samples, "block" is for datasets larger than memory, see `make_loader`
    block_bytes   of rows that are read together, and
    buffer_bytes  of rows in memory at once, where the shuffle is in blocks
    minutes       of training, over all of a run's sittings, after which it ends; such a run is not repeatable
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
        unused |= set() if self.minutes is not None else {"minutes"}
        return {key: value for key, value in dump(self).items() if key not in unused}


class RefinementSection(Section):
    """A second phase of training, by Levenberg and Marquardt: learn/levenberg_marquardt; 0 steps is none.

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
