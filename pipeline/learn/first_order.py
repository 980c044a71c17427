"""First-order learning: torch's optimisers and a learning rate that is a function of the step."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ...models import Model
from ..config.learning import TrainingSection
from ..runs.loss_units import told_loss
from .learner import Context, Learner

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "radam": torch.optim.RAdam,
}


class FirstOrder(Learner):
    """SGD, Adam, AdamW or RAdam on one batch a step.

    std             (D,) by which the batches are standardised, for losses in raw units, see `told_loss`
    schedule_start  the step at which the schedule of learning rates begins
    parallel        makes a module one whose gradients several processes average
    objective       makes the loss and outputs, or None, of inputs and targets; left out: an `Objective`
    """

    def __init__(
        self,
        model: nn.Module,
        settings: TrainingSection,
        std: tuple[float, ...] | None = None,
        schedule_start: int = 0,
        parallel: Callable[[nn.Module], nn.Module] = lambda module: module,
        objective: nn.Module | None = None,
    ) -> None:
        self._model, self._settings, self._std, self._start = model, settings, std, schedule_start
        self._objective = parallel(objective or Objective(model))
        self._optimizer = make_optimizer(model.parameters(), settings)

    @classmethod
    def of(cls, context: Context) -> Self:
        return cls(
            context.model, context.training, context.std, context.schedule_start, context.ranks.parallel
        )

    def step(self, number: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """Learn from a batch; `number` is the step's own, from 0. The loss before it, a scalar on the device."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._settings, number, self._start)
        self._optimizer.zero_grad(set_to_none=True)
        loss, outputs = self.objective(number, inputs, targets)
        loss.backward()
        if self._settings.clip is not None:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._settings.clip)
        self._optimizer.step()
        return loss.detach() if outputs is None else told_loss(loss, outputs, targets, self._std)

    def objective(self, number: int, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """The loss of a step's batch, and the outputs, unless the loss is the model's own."""
        return self._objective(inputs, targets)

    def state_dict(self) -> dict[str, Any]:
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state)


class Objective(nn.Module):
    """The loss of a batch as a module, which several processes can share; and the outputs, unless the loss is the
    model's own.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        if isinstance(self.model, Model) and self.model.has_own_loss:
            return self.model.loss(inputs, targets), None
        outputs = self.model(inputs)
        return mse_loss(outputs, targets), outputs


def make_optimizer(parameters: Iterable[nn.Parameter], settings: TrainingSection) -> torch.optim.Optimizer:
    """The optimiser that a config names."""
    options: dict[str, Any] = {"lr": settings.learning_rate}
    if settings.weight_decay is not None:
        options["weight_decay"] = settings.weight_decay
    return OPTIMIZERS[settings.optimizer](parameters, **options)


def learning_rate(settings: TrainingSection, step: int, start: int = 0) -> float:
    """The rate of a step: linear warm-up, then constant, an exponential, or half a cosine down to zero, which come to
    their ends after the last step.

    start  the step at which the schedule begins

    A function of the two alone, so that a resumed run needs no schedule's state.
    """
    step, steps = step - start, settings.steps - start
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    if settings.schedule == "constant":
        return settings.learning_rate
    progress = (step - settings.warmup) / max(1, steps - settings.warmup)
    if settings.schedule == "exponential":
        return settings.learning_rate * (settings.final_learning_rate / settings.learning_rate) ** progress
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))
