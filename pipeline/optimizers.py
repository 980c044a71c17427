"""Optimisers and learning-rate schedules by the names that a config gives them."""

import math
from typing import Any

import torch
from torch import nn

from .config import TrainingSection


def make_optimizer(model: nn.Module, training: TrainingSection) -> torch.optim.Optimizer:
    """The optimiser of a config, over all parameters of a model."""
    parameters = list(model.parameters())
    options: dict[str, Any] = {"lr": training.learning_rate}
    match training.optimizer:
        case "sgd":
            return torch.optim.SGD(parameters, **options)
        case "adam":
            return torch.optim.Adam(parameters, **options)
        case "adamw":
            return torch.optim.AdamW(parameters, **options)


def learning_rate(training: TrainingSection, step: int) -> float:
    """The rate of a step: linear warm-up, then constant or half a cosine down to zero.

    A function of the step alone, so that a resumed run needs no schedule's state.
    """
    if step < training.warmup:
        return training.learning_rate * (step + 1) / training.warmup
    if training.schedule == "constant":
        return training.learning_rate
    progress = (step - training.warmup) / max(1, training.steps - training.warmup)
    return training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))
