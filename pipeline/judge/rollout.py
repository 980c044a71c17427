"""Long rollouts: the model's own last prediction is its next start."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ...data.base.arguments import whole_number
from ...data.base.errors import DataError
from ...data.batches.normalize import Normalizer
from ...data.tasks.registry import get_task
from ...data.tasks.task import Task
from ...models import Learned, Model
from .forecasters.trained import kind_of


@torch.no_grad()
def roll_out(
    model: Model,
    normalizer: Normalizer | None,
    task: str | Task,
    starts: ArrayLike,
    window: int,
    lengths: int,
    channels: ArrayLike | None = None,
    step: float | None = None,
    *,
    parameters: Mapping[str, ArrayLike] | None = None,
) -> np.ndarray:
    """Let a model go on by itself from initial states.

    By initial-value the last state of a predicted trajectory is the next x(0), `lengths` times; by forecast each
    prediction is the next input, and the hidden state goes along; by vector-field what was learned is integrated.

    Args:
        model: Computes in the type that its weights have, where they lie.
        normalizer: How the states are standardised that it takes; None where they are not.
        task: What it has learned, by name or made by `get_task`.
        starts: (N, D), raw units.
        window: Points of the samples that it has learned from.
        lengths: How many times as long the predictions are.
        channels: (N, P) what a model that is of no run is told beside the states at every step.
        step: From point to point, in units of time, for a task that integrates, such as vector-field.
        parameters: By their names those that the model of a run is told, in their own units: one number for all
            rollouts, or (N,).

    Returns:
        (N, lengths * (window - 1) + 1, D) float64, raw units; the first point is the start.

    Raises:
        DataError: The task has no rollouts, or starts or channels are of another shape than the model takes; or the
            model is that of a run, and has learned another task, of other windows, or standardised states or not.
    """
    task = get_task(task)
    if task.driven:
        raise DataError(
            f"task {task} is given its inputs at every step, so that nothing goes on by itself; run the model over "
            "them, model.run(inputs), or one at a time, model.step(inputs, memory)"
        )
    if step is not None:
        task = task.sampled(step)
    if normalizer is not None and not isinstance(normalizer, Normalizer):
        raise DataError(
            f"normalizer is {normalizer!r:.80}; expected a Normalizer, as `load_normalizer` gives it"
        )
    window, lengths = whole_number("window", window, 2), whole_number("lengths", lengths, 1)
    _check_learned(getattr(model, "learned", None), task, window, normalizer)
    starts = _rows("starts", starts)
    told = _told(getattr(model, "learned", None), len(starts), channels, parameters)
    _check_sizes(model, starts, told)
    states = torch.from_numpy(starts).to(**kind_of(model))
    first = (states if normalizer is None else normalizer.apply(states))[:, None]
    predicted = task.go_on(model, first, lengths * (window - 1), first.new_tensor(told), window)
    return _raw(torch.cat([first, predicted], dim=1), normalizer)


def _check_learned(learned: Learned | None, task: Task, window: int, normalizer: Normalizer | None) -> None:
    """Raises DataError if the model of a run is asked for what it has not learned."""
    if learned is None:
        return
    if learned.task not in (None, task.name):
        raise DataError(f'task is "{task}", but the run has learned "{learned.task}"; expected that')
    if task.spans and learned.window not in (None, window):
        raise DataError(
            f"window is {window}, but the run has learned from samples of {learned.window} points, and foretells so "
            f"many at once; expected window={learned.window}, and `lengths` for longer rollouts"
        )
    if learned.normalized and normalizer is None:
        raise DataError(
            "normalizer is None, but the run has learned from standardised states; give load_normalizer(config), of "
            "the config that load_trained gives beside the model"
        )
    if normalizer is not None and not learned.normalized:
        raise DataError("got a normalizer, but the run has learned from states in raw units; expected None")


def _told(
    learned: Learned | None, rows: int, channels: ArrayLike | None, parameters: Mapping[str, ArrayLike] | None
) -> np.ndarray:
    """(N, P) what the model sees beside the states.

    Raises DataError if these are others than the run has learned from, or standardised where they should not be.
    """
    if learned is None or not learned.parameters:
        if parameters:
            whose = "of no run" if learned is None else "of a run without [task] parameters"
            raise DataError(f"got parameters {list(parameters)}, but the model is {whose}, and takes none")
        return np.empty((rows, 0)) if channels is None else _rows("channels", channels)
    normalizer = learned.parameter_normalizer
    if channels is not None and normalizer is None and parameters is None:
        return _rows("channels", channels)
    if channels is not None or parameters is None or parameters.keys() != set(learned.parameters):
        got = "channels" if channels is not None else sorted(parameters) if parameters else "none"
        example = ", ".join(f"{name!r}: ..." for name in learned.parameters)
        raise DataError(
            f"the run's model is told parameters, got {got}; expected parameters={{{example}}}, in their own units"
        )
    told = np.empty((rows, len(learned.parameters)))
    for column, name in enumerate(learned.parameters):
        values = _numbers(parameters[name])
        if values.shape not in ((), (1,), (rows,)) or not np.isfinite(values).all():
            raise DataError(
                f"parameters[{name!r}] is {parameters[name]!r:.80}; expected a number, or one for each of the "
                f"{rows} rollouts"
            )
        told[:, column] = values
    return told if normalizer is None else normalizer.apply(torch.from_numpy(told)).numpy()


def _numbers(values: ArrayLike) -> np.ndarray:
    """Float64 of any shape; NaN of what are no numbers."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(np.nan)


def _rows(name: str, values: ArrayLike) -> np.ndarray:
    """Numbers in rows and columns, float64. Raises DataError, which names the argument, for anything else."""
    found = _numbers(values)
    if found.ndim != 2:
        raise DataError(
            f"{name} is {values!r:.80}; expected numbers of two dimensions, a row for each rollout"
        )
    return found


def _check_sizes(model: Model, starts: np.ndarray, told: np.ndarray) -> None:
    """Raises DataError if the starts and what is told beside them are not what the model takes."""
    if len(told) != len(starts):
        raise DataError(f"channels have {len(told)} rows, starts have {len(starts)}; expected as many")
    if not hasattr(model, "input_size"):
        # One of another make, which says nothing of its sizes.
        return
    components, inputs = model.output_size, model.input_size
    if (starts.shape[1], told.shape[1]) != (components, inputs - components):
        raise DataError(
            f"starts of {starts.shape[1]} components and {told.shape[1]} channels; expected {components} and "
            f"{inputs - components}, which the model was trained on"
        )


def _raw(values: Tensor, normalizer: Normalizer | None) -> np.ndarray:
    return (values if normalizer is None else normalizer.invert(values)).double().cpu().numpy()
