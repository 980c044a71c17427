"""What a network is: made from its settings, called with sequences of inputs, run one sample at a time."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ..data.base.section import Section
from .facts import DataFacts, Learned

Memory = Any
"""What a model carries from one sample to the next; None before the first."""


class Model(nn.Module):
    """A network that makes outputs (B, T, D_out) of inputs (B, T, D_in).

    It is made as `Net(input_size, output_size, **settings)`. The settings are the keys of [model] beside `name`.

    Attributes:
        Settings: The pydantic model that checks the settings.
        is_field: Whether its outputs are slopes, dx/dt, and not states.
        is_closed: Whether its outputs are the states that come next, and it takes states alone.
        task: The name of the one task that it can learn; None is any.
        learner: The name of what changes its weights, unless `training.learner` says otherwise.
        learner_is_needed: Whether nothing but that one makes a network of it.
        is_latent: Whether it goes on in a space of its own, see `LatentModel`.
        blind: How many outputs at the beginning of a sequence it cannot know, for want of a past, and does not
            learn: they do not count where the best weights are chosen.
        input_size: D_in.
        output_size: D_out.
        learned: What it has learned, where it was loaded from a run.
    """

    Settings: ClassVar[type[BaseModel]] = Section
    is_field: ClassVar[bool] = False
    is_closed: ClassVar[bool] = False
    task: ClassVar[str | None] = None
    learner: ClassVar[str] = "first-order"
    learner_is_needed: ClassVar[bool] = False
    is_latent: ClassVar[bool] = False
    blind: ClassVar[int] = 0
    input_size: int
    output_size: int
    learned: Learned | None = None

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (B, T, D_out) of inputs (B, T, D_in); none depends on a later input."""
        raise NotImplementedError

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """Go on by one sample; steps give what `forward` gives of the same inputs.

        Args:
            inputs: (B, D_in).
            memory: What the step before returned; None begins a sequence.

        Returns:
            Outputs (B, D_out), and the memory for the next step.
        """
        raise NotImplementedError

    def run(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """A piece of a sequence, (B, T, D_in) -> (B, T, D_out), and the memory for the next piece."""
        outputs = []
        for now in inputs.unbind(1):
            output, memory = self.step(now, memory)
            outputs.append(output)
        return torch.stack(outputs, dim=1), memory

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """What training makes small, a scalar: the mean squared error, unless a model has a loss of its own."""
        return mse_loss(self(inputs), targets)

    def symbols(self, memory: Memory) -> Tensor:
        """The region (B,) in which each state is that goes on from a memory, of models that are linear in each of a
        few regions.
        """
        raise NotImplementedError

    @property
    def has_own_loss(self) -> bool:
        return type(self).loss is not Model.loss

    @classmethod
    def completed(cls, settings: Mapping[str, Any], data: DataFacts) -> Mapping[str, Any]:
        """The settings with what only the data tell, before training; they are kept with the run.

        Raises TrajstoreError where such data are none for it.
        """
        return settings

    @classmethod
    def fewest_weights(cls, **settings: Any) -> int:
        """At least so many tensors has a model of these settings: known before it is built."""
        return 0

    def work(self, batch: int) -> float:
        """Multiplications between two meetings of the threads, for a batch of that size; 0 is too few to share."""
        return 0.0


class WindowModel(Model):
    """A model whose outputs depend on the last `length` inputs alone.

    A subclass sets `length` and has `foretell`. Before a sequence its first input is taken to have lasted for
    ever.
    """

    length: int

    @abstractmethod
    def foretell(self, window: Tensor) -> Tensor:
        """Outputs (B, D_out) from windows (B, length, D_in), the latest input last."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (B, T, D_out) of whole sequences of inputs (B, T, D_in)."""
        return self.run(inputs)[0]

    def run(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; the memory is the inputs before, (B, length - 1, D_in)."""
        batch, steps, _ = inputs.shape
        before = inputs[:, :1].expand(-1, self.length - 1, -1) if memory is None else memory
        told = torch.cat([before, inputs], dim=1)
        # Not by unfold, whose gradient cannot be had for many directions at once, as refinement asks for it.
        windows = torch.stack([told[:, lag : lag + steps] for lag in range(self.length)], dim=2)
        return self.foretell(windows.flatten(0, 1)).view(batch, steps, -1), told[:, steps:]

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model."""
        outputs, memory = self.run(inputs[:, None], memory)
        return outputs[:, 0], memory


def count_parameters(model: nn.Module) -> int:
    """How many numbers of a model training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
