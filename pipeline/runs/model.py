"""The network of a run: built by its config, and loaded with its weights."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...data.base.errors import DataError, TrajstoreError
from ...data.base.own_code import UntrustedCodeError
from ...data.batches.dataset import TrajectoryDataset
from ...data.tasks.registry import TASKS
from ...data.tasks.task import Task
from ...models import MODELS, DataFacts, Learned, Model, make_model
from ..config.learning import Learning
from ..dynamics.systems import system_of
from ..dynamics.systems.canonical import canonical_pairs
from .code import Classes, kept_code
from .files import RunError, load_checkpoint
from .folder import BEST, CONFIG, RunConfig
from .mistaken import RUN, mistaken
from .samples import load_parameter_normalizer


def build_model(config: Learning, inputs: int, outputs: int, given: Classes | None = None) -> Model:
    """The network of a config that is given so many components, and tells so many, freshly initialised."""
    section = config.model
    found = MODELS.find(section.name, config.code_of(section), given)
    model = make_model(found, inputs + len(config.task.parameters), outputs, **section.settings)
    return model.to(getattr(torch, config.training.dtype))


def check_fits(config: Learning, task: Task) -> None:
    """Raises RunError where the network of a config cannot learn its task: it has no steps, or gives slopes, or would
    take slopes from states that a rollout does not have.
    """
    found = MODELS.find(config.model.name, config.code_of(config.model))
    if task.driven and found.step is Model.step:
        raise RunError(
            f"model.name: {config.model.name} has no `step`, and the task {task} runs over rows one step at a time; "
            "expected a model that steps, as lstm, gru and mlp do"
        )
    goes_on = type(task).go_on is not Task.go_on
    if not (task.driven or goes_on) and type(task).begin is Task.begin:
        raise RunError(
            f"task.name: {config.task.name} does not say how a network that has learned it goes on, for rollouts; "
            "expected `go_on`, or `begin` and `advance`, or `driven = True` where inputs are given at every step"
        )
    if not (task.rates or goes_on) and found.step is Model.step:
        raise RunError(
            f"model.name: {config.model.name} has no `step`, which rollouts of the task {task} need; expected "
            "step(input, memory) -> output, memory, which gives what `forward` gives, a sample at a time"
        )
    if found.is_closed and (not task.one_step or config.task.parameters):
        what = f"the task {task}" if not task.one_step else f"task.parameters = {config.task.parameters}"
        raise RunError(
            f"model.name: {config.model.name} makes the next state of the present one and takes nothing else, but "
            f'got {what}; expected the task "forecast", without parameters'
        )
    if found.task not in (None, task.name):
        raise RunError(
            f'model.name: {config.model.name} learns the task "{found.task}" alone, but got {task}; expected it'
        )
    if found.is_field and not task.rates:
        raise RunError(
            f"model.name: {config.model.name} learns slopes, dx/dt, and the task {task} asks for states; expected "
            'the task "vector-field"'
        )
    if task.rates and not found.is_field and (config.task.window or 1) > 1:
        raise RunError(
            f"task.window: got {config.task.window}, but in {task} a slope follows from the state alone, and "
            f"{config.model.name} may remember those before it in a window; leave task.window out"
        )


def completed(config: Learning, dataset: TrajectoryDataset, given: Classes | None = None) -> Learning:
    """The same config, where the settings of its model have what only the data tell.

    Raises ConfigError if the model cannot learn from such data.
    """
    section = config.model
    found = MODELS.find(section.name, config.code_of(section), given)
    time = dataset.time
    statistics, system = dataset.store.statistics, system_of(dataset.store.config)

    def pairs() -> list[tuple[str, str]]:
        if system is None:
            raise DataError(
                'model.pairs: nobody knows the equations of measured data; name the pairs, as in [["q", "p"]]'
            )
        return canonical_pairs(system, dataset.components)

    facts = DataFacts(
        dataset.components,
        tuple(statistics.mean),
        tuple(statistics.scales),
        float(time[1] - time[0]) if len(time) > 1 else 0.0,
        dataset.normalizer is not None,
        pairs,
    )
    settings = found.completed(section.settings, facts)
    if settings == section.settings:
        return config
    made = section.model_copy(update=dict(settings))
    return config.model_copy(update={"model": made}).with_code(config.code)


def load_trained(
    path: str | Path, *, models: Classes | None = None, trust_code: bool = False
) -> tuple[RunConfig, Model]:
    """Config and network, with the best weights and in evaluation mode, of a run or of one checkpoint file.

    Args:
        path: The folder of the run, or the file.
        models: Classes by the names that configs have for them, for networks that are not ours.
        trust_code: Whether to import the code that the run has or names for these; nothing else lets it run.

    Raises:
        RunError: The path is neither.
        UntrustedCodeError: The network is not ours, and neither is its class given nor its code trusted.
    """
    path = Path(path)
    if other := mistaken(path, f"{RUN}, or its best.pt"):
        raise RunError(other)
    run, file = (path.parent, path) if path.is_file() else (path, path / BEST)
    config = None if path.is_file() else RunConfig.load(path)
    if config is not None and config.predictions is not None:
        raise RunError(
            f"{run}: holds what was judged of predictions that another program made, and no network"
        )
    saved = load_checkpoint(file)
    try:
        config = config or RunConfig(**saved["run"])
        learning = config.learning
        sizes = len(config.inputs or config.components), len(config.target_names)
        learning = learning.with_code(kept_code(run, trusted=trust_code))
        _check_weights(learning, sizes, saved["model"], file.stat().st_size, models)
        model = build_model(learning, *sizes, models)
        model.load_state_dict(saved["model"])
        known = learning.task.name if learning.task.name in TASKS.names() else None
        model.learned = Learned(
            known,
            config.window,
            config.normalizer is not None,
            tuple(learning.task.parameters),
            load_parameter_normalizer(config),
        )
    except UntrustedCodeError:
        raise
    except TrajstoreError as error:
        raise RunError(f"{file}: {error}") from None
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError, OverflowError):
        raise RunError(f"{file}: its weights do not fit the model in {CONFIG}; train again") from None
    return config, model.eval()


def _check_weights(
    config: Learning,
    sizes: tuple[int, int],
    weights: dict[str, Tensor],
    size: int,
    given: Classes | None,
) -> None:
    """Raise ValueError if a config's model has not these weights, or more than a file of that size can hold.

    Nothing is allocated for it, however large the config says that the model is.
    """
    found = MODELS.find(config.model.name, config.code_of(config.model), given)
    if found.fewest_weights(**config.model.settings) > len(weights):
        raise ValueError("more layers than weights")
    with torch.device("meta"):
        expected: dict[str, Any] = build_model(config, *sizes, given).state_dict()
    if {name: weight.shape for name, weight in weights.items()} != {
        name: weight.shape for name, weight in expected.items()
    }:
        raise ValueError("other shapes")
    if sum(weight.nbytes for weight in expected.values()) > size:
        raise ValueError("more weights than the file has bytes")
