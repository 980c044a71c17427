"""How a run's network sees a dataset: its samples, and how states and parameters are standardised."""

from pathlib import Path
from typing import Any

from ...data.batches.normalize import Normalizer
from .cut import cut_of
from .folder import RunConfig


def load_normalizer(config: RunConfig) -> Normalizer | None:
    """How the states are standardised that a run's network takes; None where they are not."""
    return Normalizer.from_state_dict(config.normalizer) if config.normalizer else None


def load_parameter_normalizer(config: RunConfig) -> Normalizer | None:
    """How the parameters are standardised that a run's network is told; None where they are not."""
    return Normalizer.from_state_dict(config.parameter_normalizer) if config.parameter_normalizer else None


def dataset_options(config: RunConfig, data: Path) -> dict[str, Any]:
    """What, with its task, makes a TrajectoryDataset give what the run's model takes."""
    task = config.learning.task
    return {
        **cut_of(task, data),
        "dtype": config.learning.training.dtype,
        "normalize": load_normalizer(config) or False,
        "parameters": task.parameters,
        "parameter_normalizer": load_parameter_normalizer(config),
    }
