"""What a learner is: it changes a model's weights, a batch at a time."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel
from torch import Tensor

from ...data.base.section import Section
from ...models import Model
from ..config.learning import TrainingSection
from .ranks import ALONE, Ranks


@dataclass(frozen=True)
class Context:
    """What a learner is made from.

    Attributes:
        model: Whose weights it changes.
        settings: Its own, an instance of its `Settings`.
        training: The keys of [training].
        ranks: The processes that learn together; each is given its share of a batch.
        std: (D,) by which targets are standardised, for losses in raw units, see `told_loss`; None tells them as
            they are.
        schedule_start: The step at which a schedule of learning rates begins.
    """

    model: Model
    settings: Any
    training: TrainingSection
    ranks: Ranks = ALONE
    std: tuple[float, ...] | None = None
    schedule_start: int = 0


class Learner:
    """Made by `of`, called with one batch after the other.

    All that decides its next step is its weights, the number of the step, the batch and what `state_dict` gives, so
    that a training that was stopped goes on to the same weights, bit for bit.

    Attributes:
        Settings: The pydantic model that checks its keys of `training.learner`.
        own_loss: Whether the loss that it makes small is no error of the next output, and has no units.
        drop_last: Whether it wants full batches only, and the samples left over at the end of an epoch are left out.
    """

    Settings: ClassVar[type[BaseModel]] = Section
    own_loss: ClassVar[bool] = False
    drop_last: ClassVar[bool] = True

    def __init__(self, context: Context) -> None:
        self.context, self.model = context, context.model

    @classmethod
    def of(cls, context: Context) -> Self:
        """A fresh one."""
        return cls(context)

    @classmethod
    def check(cls, kind: type[Model], name: str) -> None:
        """Raise RunError, before anything is made, if it cannot change models of a kind, which has that name."""

    @classmethod
    def steps(cls, asked: int, epoch: int) -> int:
        """How many steps it takes, where so many are asked for and an epoch has so many batches."""
        return asked

    @abstractmethod
    def step(self, number: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """Learn from a batch.

        Args:
            number: Of the step, from 0.
            inputs: (B, T, D_in).
            targets: (B, T, D_out).

        Returns:
            The loss before it, a scalar on the device of the model.
        """
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, beside the weights; as `torch.save` takes it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
