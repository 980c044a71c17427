"""Whether what a network gives has the shape of what it is to give: seen on one sample, before it learns."""

import torch
from torch import Tensor

from ...data.batches.dataset import TrajectoryDataset
from ...models import Model
from ..config.learning import Learning
from ..runs.files import RunError


def check_shapes(config: Learning, model: Model, dataset: TrajectoryDataset, device: torch.device) -> None:
    """Raise RunError where targets are no components, or outputs are of another shape than targets.

    Torch would stretch one to the other where it can, and learn what nobody has asked for. Weights, and what is drawn
    later, stay what they are.
    """
    inputs, targets = dataset[:1]
    components = dataset.target_components
    if targets.shape[-1] != len(components):
        raise RunError(
            f"task.name: {config.task.name} gives targets {_shape(targets)}, but they are of {len(components)} "
            f"components ({', '.join(components[:6])}{', ...' if len(components) > 6 else ''}); expected a column "
            "for each: points go side by side in the second axis, and a task of other components says so in `told`"
        )
    if inputs.shape[-1] != dataset.input_size:
        raise RunError(
            f"task.name: {config.task.name} gives inputs {_shape(inputs)}, expected {dataset.input_size} columns, "
            "one for each component in `seen` and each of task.parameters"
        )
    learns = model.training
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        outputs = model.eval()(inputs.to(device))
    model.train(learns)
    if not isinstance(outputs, Tensor) or outputs.shape != targets.shape:
        given = _shape(outputs) if isinstance(outputs, Tensor) else f"a {type(outputs).__name__}"
        raise RunError(
            f"model.name: {config.model.name} gives {given} of inputs {_shape(inputs)}, expected {_shape(targets)}, "
            "the shape of the targets"
        )


def _shape(values: Tensor) -> str:
    """As in "(B, 20, 2)"."""
    return f"({', '.join(['B', *map(str, values.shape[1:])])})"
