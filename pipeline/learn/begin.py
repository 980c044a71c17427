"""How a training begins: with a fresh model, or where its checkpoint stands."""

from dataclasses import replace

import torch

from ...data.base.seeds import torch_seed
from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.device_dataset import ResidentDataset
from ...models import Model
from ..config.learning import Learning
from ..runs.device import choose_threads
from ..runs.going_on import Beginning
from ..runs.loss_units import OWN, RAW
from ..runs.model import build_model
from .checkpoints import Checkpoints
from .phases import Phase, at, learner_of, make_phases
from .ranks import Ranks


def fresh_model(config: Learning, dataset: TrajectoryDataset, device: torch.device, ranks: Ranks) -> Model:
    """Freshly initialised, on its device; torch computes in as many threads as it has use for."""
    torch.manual_seed(torch_seed(config.training.seed))
    sizes = dataset.input_size - len(dataset.parameters), len(dataset.target_components)
    model = build_model(config, *sizes).to(device)
    work = model.work(config.training.batch // ranks.size)
    torch.set_num_threads(choose_threads(config.training.threads, work, ranks.local_size))
    return model


def begin_phases(
    config: Learning,
    beginning: Beginning,
    checkpoints: Checkpoints,
    dataset: TrajectoryDataset | ResidentDataset,
    std: tuple[float, ...] | None,
) -> tuple[list[Phase], Beginning]:
    """The phases, with model and learner as they were where the training goes on, and where that is.

    std  by which the dataset's states are standardised, if they are

    Raises RunError if the checkpoint is none of this run's.
    """
    model, now = checkpoints.model, beginning.standing
    own = model.has_own_loss or learner_of(config).own_loss
    now.loss_units = OWN if own else now.loss_units if std else RAW
    told_std = std if now.loss_units == RAW else None
    phases = make_phases(config, model, dataset, checkpoints.ranks, told_std, now.schedule_start)
    try:
        if beginning.model is not None:
            model.load_state_dict(beginning.model)
        if beginning.learner is not None:
            at(phases, now).learner.load_state_dict(beginning.learner)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError):
        raise checkpoints.foreign() from None
    if now.stopped_by is None and now.phase < len(phases) and now.phase_step >= at(phases, now).steps:
        # More steps were asked for than the learner has a use for, so that the end was one.
        if beginning.ended is None:
            raise checkpoints.foreign()
        now = replace(beginning.ended, loss_units=now.loss_units)
        beginning = replace(beginning, standing=now, best=None)
    if now.phase == len(phases) and now.stopped_by is None:
        now.stopped_by = now.ended[-1][1]
    return phases, beginning
