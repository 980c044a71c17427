"""The phases of a training: which learner takes how many steps, on which batches."""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.device_dataset import ResidentDataset
from ...data.batches.loader import Loader, make_loader
from ...models import Model
from ..config.learning import Learning, RefinementSection, TrainingSection
from ..runs.files import RunError
from ..runs.standing import Standing
from .first_order import FirstOrder
from .levenberg_marquardt import LevenbergMarquardt
from .ranks import Ranks


class Learner(Protocol):
    """Changes a model's weights for the better, a batch at a time."""

    def step(self, number: int, inputs: Tensor, targets: Tensor) -> Tensor: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Phase:
    """So many steps of one learner on batches of one size; the loader gives this process's share of them."""

    name: str
    learner: Learner
    loader: Loader
    steps: int
    evaluate_every: int


def make_phases(
    config: Learning,
    model: Model,
    dataset: TrajectoryDataset | ResidentDataset,
    ranks: Ranks,
    std: tuple[float, ...] | None = None,
    schedule_start: int = 0,
) -> list[Phase]:
    """First-order steps, and second-order ones after them if the config asks for some.

    std             by which the dataset's states are standardised, for losses in raw units, see `told_loss`
    schedule_start  the first-order step at which the schedule of learning rates begins

    Raises RunError for a refinement of what has no squared errors.
    """
    first, second = config.training, config.refinement
    options: dict[str, Any] = {
        **first.reading,
        "drop_last": True,
        "rank": ranks.rank,
        "world_size": ranks.size,
    }
    loader = make_loader(dataset, share(first, len(dataset), ranks), seed=first.seed, **options)
    learner = FirstOrder(model, first, std, schedule_start, ranks.parallel)
    phases = [Phase("train", learner, loader, first.steps, first.evaluate_every)]
    if second.steps:
        if model.has_own_loss:
            raise RunError(
                f"refinement.steps: got {second.steps}, but {config.model.name} has a loss of its own, and the "
                "refinement is for squared errors; leave [refinement] out"
            )
        loader = make_loader(dataset, share(second, len(dataset), ranks), seed=first.seed + 1, **options)
        learner = LevenbergMarquardt(model, second, first.seed, ranks, std)
        phases.append(Phase("refine", learner, loader, second.steps, second.evaluate_every))
    return phases


def at(phases: list[Phase], now: Standing) -> Phase:
    """The phase that a training is in; the last one where all have ended."""
    return phases[min(now.phase, len(phases) - 1)]


def share(section: TrainingSection | RefinementSection, samples: int, ranks: Ranks) -> int:
    """Samples of a section's batches for this process; no batch is larger than the dataset."""
    key = "training" if isinstance(section, TrainingSection) else "refinement"
    return ranks.share(f"{key}.batch", min(section.batch, samples)) if section.steps else 0
