"""The phases of a training: which learner takes how many steps, on which batches."""

from dataclasses import dataclass
from typing import Any

from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.device_dataset import ResidentDataset
from ...data.batches.loader import Loader, make_loader
from ...models import MODELS, Model
from ..config.learners import LEARNERS, LearnerSection
from ..config.learning import Learning, RefinementSection, TrainingSection
from ..runs.files import RunError
from ..runs.standing import Standing
from .learner import Context, Learner
from .ranks import Ranks

# What [refinement] learns by.
SECOND = "levenberg-marquardt"


@dataclass(frozen=True)
class Phase:
    """So many steps of one learner on batches of one size; the loader gives this process's share of them."""

    name: str
    learner: Learner
    loader: Loader
    steps: int
    evaluate_every: int


def learner_of(config: Learning) -> type[Learner]:
    """What changes the weights first, of a config that is `settled`. Raises TrajstoreError if it may not run."""
    section = _first(config)
    return LEARNERS.find(section.name, config.code_of(section))


def _first(config: Learning) -> LearnerSection:
    return config.training.learner or LearnerSection()


def check_learners(config: Learning) -> None:
    """Raise RunError if one of them cannot change the weights of the config's model."""
    kind = MODELS.find(config.model.name, config.code_of(config.model))
    first = _first(config).name
    if kind.learner_is_needed and first != kind.learner:
        raise RunError(
            f'training.learner: got "{first}", but {config.model.name} is nothing before "{kind.learner}" has seen '
            "the data; leave training.learner out"
        )
    learner_of(config).check(kind, config.model.name)
    if config.refinement.steps:
        LEARNERS.find(SECOND).check(kind, config.model.name)


def make_phases(
    config: Learning,
    model: Model,
    dataset: TrajectoryDataset | ResidentDataset,
    ranks: Ranks,
    std: tuple[float, ...] | None = None,
    schedule_start: int = 0,
) -> list[Phase]:
    """The steps of the learner of [training], and second-order ones after them if the config asks for some.

    std             by which the dataset's states are standardised, for losses in raw units, see `told_loss`
    schedule_start  the step of the first phase at which its schedule of learning rates begins
    """
    first, second = config.training, config.refinement
    kind = learner_of(config)
    own = kind.Settings.model_validate(first.learner.settings if first.learner else {})
    planned: list[tuple[str, type[Learner], Any, TrainingSection | RefinementSection]]
    planned = [("train", kind, own, first)]
    if second.steps:
        planned.append(("refine", LEARNERS.find(SECOND), second, second))
    phases = []
    for number, (name, kind, settings, section) in enumerate(planned):
        loader = make_loader(
            dataset,
            share(section, len(dataset), ranks),
            seed=first.seed + number,
            **first.reading,
            # Several processes have no batches that are not full, which could not be dealt evenly.
            drop_last=kind.drop_last or ranks.size > 1,
            rank=ranks.rank,
            world_size=ranks.size,
        )
        learner = kind.of(Context(model, settings, first, ranks, std, schedule_start))
        steps = kind.steps(section.steps, len(loader))
        phases.append(Phase(name, learner, loader, steps, section.evaluate_every))
    return phases


def at(phases: list[Phase], now: Standing) -> Phase:
    """The phase that a training is in; the last one where all have ended."""
    return phases[min(now.phase, len(phases) - 1)]


def share(section: TrainingSection | RefinementSection, samples: int, ranks: Ranks) -> int:
    """Samples of a section's batches for this process; no batch is larger than the dataset."""
    key = "training" if isinstance(section, TrainingSection) else "refinement"
    return ranks.share(f"{key}.batch", min(section.batch, samples)) if section.steps else 0
