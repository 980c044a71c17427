"""How far a model is off over a whole split, and which of its weights are the best so far."""

import math

import torch

from ...data.batches.dataset import TrajectoryDataset
from ...models import Model
from ...models.footprint import outputs_of
from ..runs.standing import Standing
from .checkpoints import Checkpoints
from .ranks import ALONE, Ranks
from .selection import Selection

BATCH = 4096


@torch.no_grad()
def mean_squared_error(
    model: Model, dataset: TrajectoryDataset, device: torch.device, ranks: Ranks = ALONE
) -> float:
    """MSE over a whole split, in the dataset's raw units, of all outputs that the model can know.

    Each process takes its share of the samples.
    """
    total, count, normalizer = 0.0, 0, dataset.target_normalizer
    for numbers in torch.arange(ranks.rank, len(dataset), ranks.size).split(BATCH):
        inputs, targets = dataset[numbers]
        errors = (outputs_of(model, inputs.to(device)).cpu() - targets)[:, model.blind :]
        if normalizer is not None:
            errors = errors * errors.new_tensor(normalizer.std)
        total += errors.double().square().sum().item()
        count += errors.numel()
    total, count = ranks.sum(torch.tensor([total, count], dtype=torch.float64)).tolist()
    return total / count


def validate(
    model: Model,
    validation: TrajectoryDataset | None,
    device: torch.device,
    checkpoints: Checkpoints,
    selection: Selection | None,
    now: Standing,
) -> dict[str, float]:
    """The validation error, and what is selected by, as entries of the curve; the best weights so far are kept.

    Without a validation split the latest weights count as the best.
    """
    mse = math.nan if validation is None else mean_squared_error(model, validation, device, checkpoints.ranks)
    now.stale += 1
    line = {} if validation is None else {"validation_mse": mse}
    better = validation is None or mse < now.best_validation
    if selection is not None:
        # Rollouts are not shared out.
        ranks = checkpoints.ranks
        value = ranks.from_first(selection.value() if ranks.first else math.nan)
        line["selected"] = value
        # As long as there is no value, as of runs that leave for infinity, the error decides.
        if not (math.isnan(value) and math.isnan(now.best_selected)):
            better = selection.is_better(value, now.best_selected)
    if better:
        now.best_step, now.best_validation, now.stale = now.step, mse, 0
        now.best_selected = line.get("selected", math.nan)
        checkpoints.keep_best(now.step, mse)
    return line
