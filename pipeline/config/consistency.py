"""Does what is to be learned go with the dataset of the same config? Asked before the dataset is made."""

from ...data.batches.block_sizes import count_blocks
from ...data.folder.stated_grid import same_step, step_of
from ...data.shard.schema import SPLITS
from ...data.shard.sizes import row_bytes
from ...data.tasks.registry import TASKS
from .experiment import Experiment
from .plain_values import ConfigError


def check_training(config: Experiment) -> None:
    """Raises ConfigError, which names the key, for what training would find out only when the dataset is there."""
    task, training = config.task, config.training
    _check_grids(config)
    known = config.dynamics.parameters
    if len(set(task.parameters)) < len(task.parameters):
        raise ConfigError(f"task.parameters: got {', '.join(task.parameters)}; expected each name once")
    for name in task.parameters:
        if name not in known:
            raise ConfigError(
                f"task.parameters: the system has no parameter {name!r}; it has {', '.join(known) or 'none'}"
            )
    if task.target == "clean" and not config.observation.clean:
        raise ConfigError(
            'task.target: "clean" needs the states without noise; give observation.clean = true beside '
            "observation.noise"
        )
    if task.target == "clean" and training.shuffle == "block":
        raise ConfigError('training.shuffle: "block" reads no clean targets; choose "full"')
    for key in ("patience", "select"):
        if getattr(training, key) is not None and not config.dataset.validation:
            raise ConfigError(
                f"training.{key}: needs validation trajectories; give dataset.validation above 0, or leave it out"
            )
    if training.shuffle == "block" and config.dataset.compression == "none":
        _check_blocks(config)


def _check_grids(config: Experiment) -> None:
    """A window fits into the rows of every split, and what is learned from and chosen by has one step."""
    task, present = config.task, [split for split in SPLITS if getattr(config.dataset, split)]
    shortest = min(present, key=lambda split: len(config.times_of(split)))
    samples, where = len(config.times_of(shortest)), "[grid]"
    if samples != len(config.times):
        where = f"[grid.splits.{shortest}]"
    # Of a user's own the dataset asks, when its code may run.
    known_task = TASKS.find(task.name)(**task.settings) if task.name in TASKS.names() else None
    least = 1 if known_task is None else known_task.minimum_length
    if known_task is not None:
        known_task.on(config.observation.names(config.dynamics))
    if task.window is not None and not least <= task.window <= samples:
        raise ConfigError(
            f"task.window: got {task.window}, but the trajectories of {where} have {samples} samples, and the task "
            f'"{task.name}" takes {least} or more; expected {least} to {samples}'
        )
    if "validation" in present:
        steps = [step_of(config.generation(), split) for split in ("train", "validation")]
        if not same_step(*steps):
            raise ConfigError(
                f"grid.splits: times of train are {steps[0]:g} apart, those of validation, by which weights are "
                f"chosen, {steps[1]:g}; expected one step for both"
            )


def _check_blocks(config: Experiment) -> None:
    """Two blocks of rows must fit into the buffer; blocks are cut as `Store.block_bounds` cuts them."""
    training, rows = config.training, min(config.shard_rows_of("train"), config.dataset.train)
    components = len(config.observation.names(config.dynamics))
    row = row_bytes(len(config.times_of("train")), components, config.dataset.dtype)
    blocks = count_blocks(rows, row, training.block_bytes)
    needed = 2 * -(-rows // blocks) * row
    if needed > training.buffer_bytes:
        raise ConfigError(
            f"training.buffer_bytes: got {training.buffer_bytes}, and two blocks of rows take {needed} bytes; "
            "choose a larger buffer, or smaller training.block_bytes if a block has more than one row"
        )
