"""Dataset -> trained model: one loop, readable from top to bottom; killed anywhere, it goes on where it was.

Under torchrun several processes run it, each on its share of every batch; all take the same decisions, see `ranks`.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress, TextColumn
from torch import Tensor

from ..data.dataset import Batch, TrajectoryDataset
from ..data.files import finite, reason, write_json
from ..data.manifest import load_manifest
from ..data.seeds import torch_seed
from ..models import RecurrentModel
from .device import choose_device, choose_threads, place
from .interrupt import StopRequest
from .learning_sections import Learning
from .locking import locked
from .phases import make_phases, share
from .progress import columns
from .ranks import Ranks, joined
from .run import BEST, CURVE, LAST, TRAINING, RunConfig, build_model, cut_curve, prepare_folder
from .run_files import RunError, load_checkpoint, save_checkpoint
from .validation import mean_squared_error

LOG_EVERY = 10


@dataclass
class Standing:
    """Where a run stands: all that a checkpoint keeps beside weights and learner.

    `step` counts over all phases, `phase_step` in the current one; times are in seconds.
    """

    phase: int = 0
    step: int = 0
    phase_step: int = 0
    smoothed: float = math.nan
    best_step: int = 0
    best_validation: float = math.inf
    stale: int = 0
    seconds: float = 0.0
    waiting: float = 0.0


def train(
    config: Learning,
    data: Path,
    run: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
    ranks: Ranks | None = None,
) -> Standing:
    """Train the model of a config on a dataset; the run's folder keeps everything.

    resume     go on with an unfinished run, or begin if there is none
    overwrite  throw away a run of another config or dataset that the folder holds
    console    where progress is shown; None shows none
    ranks      the processes that train together, where these have joined already

    Interrupted and resumed gives the same weights as never interrupted, bit for bit on a CPU with the same
    number of threads. Under torchrun the processes share each batch, and the first one writes and shows.
    KeyboardInterrupt is raised when all is saved. Raises TrajstoreError for a dataset or folder that cannot be used.
    """
    console = console or Console(quiet=True)
    with joined() if ranks is None else nullcontext(ranks) as ranks:
        shown = console if ranks.first else Console(quiet=True)
        return _prepare_and_train(config, data, run, resume, overwrite, shown, ranks)


def _prepare_and_train(
    config: Learning,
    data: Path,
    run: Path,
    resume: bool,
    overwrite: bool,
    console: Console,
    ranks: Ranks,
) -> Standing:
    device = choose_device(config.training.device, ranks)
    task = config.task
    options: dict[str, Any] = {
        "window": task.window,
        "stride": task.stride,
        "normalize": task.normalize,
        "parameters": task.parameters,
        "target": task.target,
    }
    dataset = TrajectoryDataset(data, "train", task.name, **options)
    validation = None
    if load_manifest(data).splits["validation"].trajectories:
        validation = TrajectoryDataset(data, "validation", task.name, **options)
    _say_what_is_left_out(console, dataset, validation)
    if validation is None and config.training.patience is not None:
        raise RunError("training.patience: needs validation trajectories; the dataset has none")
    share(config.training, len(dataset), ranks)
    share(config.refinement, len(dataset), ranks)
    described = RunConfig.of(config, dataset, data, run)
    if ranks.from_first(described.identity) != described.identity:
        raise RunError(f"{data}: process {ranks.rank} finds another config or dataset than process 0")
    with locked(run) if ranks.first else nullcontext():
        try:
            if ranks.first:
                prepare_folder(run, described, resume, overwrite)
            return _train(config, described, dataset, validation, run, device, console, ranks)
        except OSError as error:
            raise RunError(
                f"{run}: cannot be written ({reason(error)}). The last checkpoint is kept: mend the cause and go on "
                "from it with the same command and --resume."
            ) from None


def _train(
    config: Learning,
    described: RunConfig,
    dataset: TrajectoryDataset,
    validation: TrajectoryDataset | None,
    run: Path,
    device: torch.device,
    console: Console,
    ranks: Ranks,
) -> Standing:
    torch.set_num_threads(choose_threads(config, ranks))
    torch.manual_seed(torch_seed(config.training.seed))
    model = build_model(config, len(dataset.components)).to(device)
    # A shuffle in blocks is for what is larger than any memory, and reads from disk.
    placed = place(dataset, device) if config.training.shuffle == "full" else dataset
    phases = make_phases(config, model, placed, ranks)
    now = Standing()
    saved = None
    if ranks.first and (run / LAST).is_file():
        saved = load_checkpoint(run / LAST)
    saved = ranks.from_first(saved)
    if saved is not None:
        try:
            model.load_state_dict(saved["model"])
            now = Standing(**saved["standing"])
            if now.phase < len(phases):
                phases[now.phase].learner.load_state_dict(saved["learner"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError):
            raise RunError(
                f"{run / LAST}: is no checkpoint of this run; begin again with --overwrite"
            ) from None
    if (run / TRAINING).is_file() and now.phase == len(phases):
        console.print(f"{run}: was trained to its end before; nothing to do", highlight=False, soft_wrap=True)
    if ranks.first:
        cut_curve(run, now.step)
    # Each checkpoint can be loaded without the folder that it lies in.
    own = {"run": vars(described)}

    def save() -> None:
        if not ranks.first:
            return
        learner = phases[min(now.phase, len(phases) - 1)].learner.state_dict()
        save_checkpoint(
            run / LAST, {**own, "model": model.state_dict(), "learner": learner, "standing": asdict(now)}
        )

    begin, before = perf_counter(), now.seconds
    progress = Progress(*columns("steps"), TextColumn("loss {task.fields[loss]:.3g}"), console=console)
    written = run / CURVE if ranks.first else Path(os.devnull)
    with StopRequest() as stop, progress, written.open("a", encoding="utf-8") as curve:
        while now.phase < len(phases):
            phase = phases[now.phase]
            bar = progress.add_task(
                phase.name, total=phase.steps, completed=now.phase_step, loss=now.smoothed
            )
            batches = _timed(phase.loader.steps(now.phase_step), now)
            losses: list[Tensor] = []
            finished = False
            while not finished:
                inputs, targets = next(batches)
                losses.append(phase.learner.step(now.phase_step, inputs.to(device), targets.to(device)))
                now.step, now.phase_step = now.step + 1, now.phase_step + 1
                finished = now.phase_step >= phase.steps
                evaluates = finished or now.phase_step % phase.evaluate_every == 0
                logs = evaluates or now.phase_step % LOG_EVERY == 0
                asked = stop.requested
                # Several processes agree on a stop where they meet anyway.
                if not (logs or (asked and ranks.size == 1)):
                    continue
                *read, stops = _read(losses, asked, ranks)
                losses.clear()
                _follow(now, read)
                now.seconds = before + perf_counter() - begin
                line: dict[str, float] = {}
                if logs:
                    line = {"loss": read[-1], "smoothed_loss": now.smoothed}
                    progress.update(bar, completed=now.phase_step, loss=now.smoothed)
                if evaluates:
                    line |= _validate(model, validation, device, now, run / BEST, own, ranks)
                    patience = config.training.patience
                    finished = finished or (patience is not None and now.stale >= patience)
                if line:
                    row = {"step": now.step, "phase": phase.name, **line, "seconds": round(now.seconds, 4)}
                    curve.write(json.dumps(finite(row)) + "\n")
                if finished:
                    now.phase, now.phase_step, now.stale = now.phase + 1, 0, 0
                if evaluates or stops:
                    curve.flush()
                    save()
                if stops:
                    # When one process ends, torchrun ends the others: not before all is saved.
                    ranks.wait()
                    raise KeyboardInterrupt
    if ranks.first:
        write_json(run / TRAINING, _summary(now))
    return now


def _read(losses: list[Tensor], asked: bool, ranks: Ranks) -> list[float]:
    """Losses of global batches from those of shares; last, not 0 if any process was asked to stop.

    Until then a GPU need not wait for Python, nor a process for another one's losses.
    """
    return ranks.mean(torch.stack([*losses, losses[0].new_tensor(float(asked))]).cpu().double()).tolist()


def _follow(now: Standing, losses: list[float]) -> None:
    """Smooth the losses of the last steps. Raises RunError if one is not finite."""
    for number, loss in enumerate(losses, now.step - len(losses) + 1):
        now.smoothed = loss if math.isnan(now.smoothed) else 0.9 * now.smoothed + 0.1 * loss
        if not math.isfinite(loss):
            raise RunError(f"the loss is {loss} at step {number}; lower training.learning_rate, or clip")


def _validate(
    model: RecurrentModel,
    validation: TrajectoryDataset | None,
    device: torch.device,
    now: Standing,
    best: Path,
    own: dict[str, Any],
    ranks: Ranks,
) -> dict[str, float]:
    """The validation error, as an entry of the curve; the best weights so far are kept in the run.

    Without a validation split the latest weights count as the best.
    """
    mse = math.nan if validation is None else mean_squared_error(model, validation, device, ranks)
    now.stale += 1
    if validation is None or mse < now.best_validation:
        now.best_step, now.best_validation, now.stale = now.step, mse, 0
        content = {"model": model.state_dict(), "step": now.step, "validation_mse": mse}
        if ranks.first:
            save_checkpoint(best, {**own, **content})
    return {} if validation is None else {"validation_mse": mse}


def _summary(now: Standing) -> dict[str, Any]:
    """What `training.json` holds; the file is there only when the run has ended."""
    return {
        "steps": now.step,
        "best_step": now.best_step,
        "validation_mse": now.best_validation,
        "final_smoothed_loss": now.smoothed,
        "seconds": now.seconds,
        "waiting_share": now.waiting / max(now.seconds, 1e-9),
    }


def _timed(batches: Iterator[Batch], now: Standing) -> Iterator[Batch]:
    """The same batches; the time spent waiting for them is added up."""
    while True:
        begin = perf_counter()
        batch = next(batches)
        now.waiting += perf_counter() - begin
        yield batch


def _say_what_is_left_out(console: Console, *datasets: TrajectoryDataset | None) -> None:
    for dataset in datasets:
        if dataset is not None and dataset.failed:
            rows = len(dataset.store)
            console.print(
                f"{dataset.store.split}: {dataset.failed} of {rows} trajectories failed to integrate "
                "and are left out",
                style="yellow",
                highlight=False,
            )
