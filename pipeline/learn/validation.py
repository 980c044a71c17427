"""How far a model is off over a whole split."""

import torch

from ...data.batches.dataset import TrajectoryDataset
from ...models import Model
from .ranks import ALONE, Ranks

BATCH = 4096


@torch.no_grad()
def mean_squared_error(
    model: Model, dataset: TrajectoryDataset, device: torch.device, ranks: Ranks = ALONE
) -> float:
    """MSE over a whole split, in the dataset's raw units; each process takes its share of the samples."""
    total, count, normalizer = 0.0, 0, dataset.target_normalizer
    for numbers in torch.arange(ranks.rank, len(dataset), ranks.size).split(BATCH):
        inputs, targets = dataset[numbers]
        errors = model(inputs.to(device)).cpu() - targets
        if normalizer is not None:
            errors = errors * errors.new_tensor(normalizer.std)
        total += errors.double().square().sum().item()
        count += errors.numel()
    total, count = ranks.sum(torch.tensor([total, count], dtype=torch.float64)).tolist()
    return total / count
