"""Dataset -> trained model: one loop, readable from top to bottom; killed anywhere, it goes on where it was.

Under torchrun several processes run it, each on its share of every batch; all take the same decisions, see `ranks`.
"""

import json
import math
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import TaskID
from torch import Tensor

from ...data.base.files import finite, reason
from ...data.batches.dataset import Batch, TrajectoryDataset
from ...data.batches.loader import unread_in_blocks
from ...data.folder.manifest_reading import load_manifest
from ..config.agreement import disagreement
from ..config.file import load_learning
from ..config.learning import Learning, TrainingSection
from ..runs.code import keep_code, make_task, settled
from ..runs.curve import CURVE
from ..runs.cut import check_steps, cut_of
from ..runs.files import RunError
from ..runs.folder import TRAINING, RunConfig, prepare_folder
from ..runs.going_on import Beginning
from ..runs.model import check_fits, completed
from ..runs.splits import open_split
from ..runs.standing import Standing
from ..runtime.bars import Bars, FieldColumn
from ..runtime.interrupts import StopRequest
from ..runtime.lock import locked
from .begin import begin_phases, fresh_model
from .checkpoints import Checkpoints
from .clock import Clock, timed
from .device import choose_device, place
from .phases import Phase, at, check_learners, share
from .ranks import Ranks, joined
from .selection import Selection, check_judged_by, selected_metric
from .shapes import check_shapes
from .validation import validate

LOG_EVERY = 10


def train(
    config: Learning | str | Path,
    data: str | Path,
    run: str | Path,
    *,
    resume: bool = False,
    restart_schedule: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
    ranks: Ranks | None = None,
) -> Standing:
    """Train the model of a config on a dataset; the run's folder keeps everything.

    Interrupted and resumed gives the same weights as never interrupted, bit for bit on a CPU with the same
    number of threads. Under torchrun the processes share each batch, and the first one writes and shows.

    Args:
        config: What is learned, and how, as `load_config` gives it; or the path of its file.
        data: The dataset's folder.
        run: The folder of the run.
        resume: Whether to go on with an unfinished run, or with one whose config asked for less; begins if there
            is none.
        restart_schedule: Whether to begin the schedule of learning rates anew where a longer training needs
            another one.
        overwrite: Whether to throw away a run of another config or dataset that the folder holds.
        console: Where progress is shown; None shows none.
        ranks: The processes that train together, where these have joined already.

    Returns:
        How far the training is, and why it ended.

    Raises:
        TrajstoreError: The config, the dataset or the folder cannot be used.
        KeyboardInterrupt: When all is saved.
    """
    if restart_schedule and not resume:
        raise RunError("--restart-schedule goes on with a run; give --resume, too")
    if not isinstance(config, Learning):
        config = load_learning(config)
    console = console or Console(quiet=True, highlight=False)
    with joined() if ranks is None else nullcontext(ranks) as ranks:
        shown = console if ranks.first else Console(quiet=True)
        return _prepare_and_train(
            config, Path(data), Path(run), resume, restart_schedule, overwrite, shown, ranks
        )


def _prepare_and_train(
    config: Learning,
    data: Path,
    run: Path,
    resume: bool,
    restart_schedule: bool,
    overwrite: bool,
    console: Console,
    ranks: Ranks,
) -> Standing:
    device, notes = choose_device(config.training.device, ranks), _taken_for_granted(config)
    config = settled(config)
    learned = make_task(config)
    selected_metric(config, learned)
    check_judged_by(config)
    check_fits(config, learned)
    check_learners(config)
    task = config.task
    manifest = load_manifest(data)
    notes += filter(None, [disagreement(config, manifest, str(data))])
    check_steps(data, "train", "validation")
    options = {**cut_of(task, data), "normalize": task.normalize, "parameters": task.parameters}
    options["dtype"] = config.training.dtype
    dataset = open_split(data, "train", learned, **options)
    config = completed(config, dataset)
    validation = None
    if manifest.splits["validation"].trajectories:
        validation = open_split(data, "validation", learned, **options)
    _check_shuffle(config.training, dataset)
    _say_what_is_left_out(console, dataset, validation)
    for key in ("patience", "select"):
        if validation is None and getattr(config.training, key) is not None:
            raise RunError(f"training.{key}: needs validation trajectories; the dataset has none")
    share(config.training, len(dataset), ranks)
    share(config.refinement, len(dataset), ranks)
    described = RunConfig.of(config, dataset, data, run)
    if ranks.from_first(described.identity) != described.identity:
        raise RunError(f"{data}: process {ranks.rank} finds another config or dataset than process 0")
    model = fresh_model(config, dataset, device, ranks)
    check_shapes(config, model, dataset, device)
    selection = Selection.of(config, described, data, learned, model)
    with locked(run) if ranks.first else nullcontext():
        try:
            if ranks.first:
                prepare_folder(run, described, resume, overwrite)
                _tell(console, notes)
                keep_code(run, config)
            checkpoints = Checkpoints(run, described, model, ranks)
            beginning = checkpoints.begin(config, restart_schedule=restart_schedule, overwrite=overwrite)
            # A shuffle in blocks is for what is larger than any memory, and reads from disk.
            placed = place(dataset, device) if config.training.shuffle == "full" else dataset
            std = dataset.target_normalizer.std if dataset.target_normalizer else None
            phases, beginning = begin_phases(config, beginning, checkpoints, placed, std)
            look = partial(validate, model, validation, device, checkpoints, selection)
            return _train(config.training, beginning, phases, checkpoints, device, look, console)
        except OSError as error:
            raise RunError(
                f"{run}: cannot be written ({reason(error)}). The last checkpoint is kept: mend the cause and go on "
                "from it with the same command and --resume."
            ) from None


def _train(
    config: TrainingSection,
    beginning: Beginning,
    phases: list[Phase],
    checkpoints: Checkpoints,
    device: torch.device,
    look: Callable[[Standing], dict[str, float]],
    console: Console,
) -> Standing:
    """Take the steps that are left; `look` judges the model on the validation split.

    KeyboardInterrupt is raised when all is saved.
    """
    run, ranks, now = checkpoints.run, checkpoints.ranks, beginning.standing
    told = now.stopped_by is not None and (run / TRAINING).is_file()
    if told:
        console.print(f"{run}: was trained to its end before; nothing to do", soft_wrap=True)
    checkpoints.take_over(beginning, at(phases, now).learner)
    clock = Clock(now, config.minutes)
    progress = Bars("steps", FieldColumn("loss"), console=console)
    written = run / CURVE if ranks.first else Path(os.devnull)
    with StopRequest() as stop, progress, written.open("a", encoding="utf-8") as curve:
        while now.stopped_by is None:
            phase = phases[now.phase]
            bar = _bar(progress, phase, now)
            batches = timed(phase.loader.steps(now.phase_step), now)
            losses: list[Tensor] = []
            finished, going_on = False, None
            while not finished:
                losses.append(_step(phase, next(batches), now, device))
                enough, due = now.phase_step >= phase.steps, now.phase_step % phase.evaluate_every == 0
                logs = enough or due or now.phase_step % LOG_EVERY == 0
                wishes = stop.requested, clock.is_late
                # Several processes agree on a stop where they meet anyway.
                if not (logs or (any(wishes) and ranks.size == 1)):
                    continue
                *read, stops, late = _read(losses, wishes, ranks)
                _follow(now, read)
                clock.note()
                line: dict[str, Any] = {}
                if logs or late:
                    line = {"loss": read[-1], "smoothed_loss": now.smoothed, "loss_units": now.loss_units}
                    progress.update(bar, completed=now.phase_step, loss=now.smoothed)
                if evaluates := bool(enough or due or late):
                    going_on = checkpoints.before(now, due)
                    line |= look(now)
                    going_on = going_on or {"standing": asdict(now)}
                    impatient = config.patience is not None and now.stale >= config.patience
                    finished = now.end(enough, impatient, bool(late), len(phases))
                if line:
                    curve.write(_row(phase, now, line))
                if evaluates or stops:
                    curve.flush()
                    _save(checkpoints, phases, now, going_on)
                if stops:
                    checkpoints.leave(now)
    if ranks.first and not (told and beginning.same):
        checkpoints.conclude(now)
    return now


def _bar(progress: Bars, phase: Phase, now: Standing) -> TaskID:
    return progress.add_task(phase.name, total=phase.steps, completed=now.phase_step, loss=now.smoothed)


def _step(phase: Phase, batch: Batch, now: Standing, device: torch.device) -> Tensor:
    """One step, and its loss."""
    inputs, targets = batch
    loss = phase.learner.step(now.phase_step, inputs.to(device), targets.to(device))
    now.step, now.phase_step = now.step + 1, now.phase_step + 1
    return loss


def _row(phase: Phase, now: Standing, line: dict[str, Any]) -> str:
    """Of the curve."""
    row = {"step": now.step, "phase": phase.name, **line, "seconds": round(now.seconds, 4)}
    return json.dumps(finite(row)) + "\n"


def _save(
    checkpoints: Checkpoints, phases: list[Phase], now: Standing, going_on: dict[str, Any] | None
) -> None:
    # Of a phase that has ended, and another comes after it, nothing goes on.
    rests = now.stopped_by and (now.phase == len(phases) or now.phase_step)
    checkpoints.save(now, at(phases, now).learner, going_on if rests else None)


def _read(losses: list[Tensor], wishes: tuple[bool, ...], ranks: Ranks) -> list[float]:
    """Losses of global batches from those of shares; behind them each wish, not 0 if any process has it.

    The list is empty afterwards. Until then a GPU need not wait for Python, nor a process for another one's losses.
    """
    wished = (losses[0].new_tensor(float(wish)) for wish in wishes)
    read = torch.stack([*losses, *wished]).cpu().double()
    losses.clear()
    return ranks.mean(read).tolist()


def _follow(now: Standing, losses: list[float]) -> None:
    """Smooth the losses of the last steps. Raises RunError if one is not finite."""
    for number, loss in enumerate(losses, now.step - len(losses) + 1):
        now.smoothed = loss if math.isnan(now.smoothed) else 0.9 * now.smoothed + 0.1 * loss
        if not math.isfinite(loss):
            raise RunError(f"the loss is {loss} at step {number}; lower training.learning_rate, or clip")


def _taken_for_granted(config: Learning) -> list[str]:
    """What is learned, if the config says nothing of it, as a note."""
    if {"task", "model"} & config.model_fields_set:
        return []
    return [
        f'the config has neither [task] nor [model]; what is learned is "{config.task.name}", by '
        f'"{config.model.name}"'
    ]


def _tell(console: Console, notes: list[str]) -> None:
    for note in notes:
        console.print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)


def _check_shuffle(config: TrainingSection, dataset: TrajectoryDataset) -> None:
    """Raise RunError, before a folder is made for the run, if a shuffle in blocks reads less than the task needs."""
    if config.shuffle == "block" and (unread := unread_in_blocks(dataset)):
        raise RunError(f'training.shuffle: "block" reads no {unread}; choose "full"')


def _say_what_is_left_out(console: Console, *datasets: TrajectoryDataset | None) -> None:
    for dataset in datasets:
        if dataset is not None and dataset.left_out:
            total = len(dataset) + dataset.left_out
            told = f"{dataset.store.split}: {dataset.left_out} of {total} samples"
            console.print(f"{told} are beyond the limits of the task and are left out", style="yellow")
        if dataset is not None and dataset.failed:
            rows = len(dataset.store)
            why = "failed to integrate" if "equations" in dataset.store.config["system"] else "lack values"
            told = f"{dataset.store.split}: {dataset.failed} of {rows} trajectories {why}"
            console.print(f"{told} and are left out", style="yellow")
