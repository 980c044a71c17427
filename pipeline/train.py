"""Dataset -> trained model: one loop, readable from top to bottom; killed anywhere, it goes on where it was."""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress, TextColumn
from torch import Tensor
from torch.nn.functional import mse_loss

from ..data.dataset import Batch, TrajectoryDataset
from ..data.files import remove_leftovers, write_text
from ..data.hashing import json_hash
from ..data.loader import make_loader
from ..data.manifest import load_manifest
from ..models import RecurrentModel
from .config import Experiment
from .locking import LOCK, locked
from .optimizers import learning_rate, make_optimizer
from .progress import columns
from .run import (
    BEST,
    CURVE,
    LAST,
    TRAINING,
    RunConfig,
    RunError,
    build_model,
    load_checkpoint,
    read_curve,
    relative_path,
    save_checkpoint,
)

LOG_EVERY = 10
VALIDATION_BATCH = 4096
# Below so many multiplications a step, a second thread costs more than it gives.
SINGLE_THREAD_WORK = 30_000_000


@dataclass
class Progressed:
    """Where a run stands: all that a checkpoint keeps beside weights and optimiser."""

    step: int = 0
    smoothed: float = math.nan
    best_step: int = 0
    best_validation: float = math.inf
    seconds: float = 0.0
    waiting: float = 0.0
    finished: bool = False


def train(
    config: Experiment,
    data: Path,
    run: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> Progressed:
    """Train the model of a config on a dataset; the run's folder keeps everything.

    resume     go on with an unfinished run, or begin if there is none
    overwrite  throw away a run of another config or dataset that the folder holds
    console    where progress is shown; None shows none

    Interrupted and resumed gives the same weights as never interrupted, bit for bit on a CPU with the same
    number of threads. On KeyboardInterrupt the state is saved before it is raised again. Raises
    TrajstoreError for a dataset or folder that cannot be used.
    """
    console = console or Console(quiet=True)
    device = torch.device(choose_device(config.training.device))
    task = config.task
    options: dict[str, Any] = {"window": task.window, "stride": task.stride, "normalize": task.normalize}
    dataset = TrajectoryDataset(data, "train", task.name, **options)
    validation = None
    if load_manifest(data).splits["validation"].trajectories:
        validation = TrajectoryDataset(data, "validation", task.name, **options)
    _say_what_is_left_out(console, dataset, validation)
    with locked(run):
        described = _describe(config, dataset, data, run)
        _check_folder(run, described, resume, overwrite)
        remove_leftovers(run)
        described.save(run)
        return _train(config, dataset, validation, run, device, console)


def _train(
    config: Experiment,
    dataset: TrajectoryDataset,
    validation: TrajectoryDataset | None,
    run: Path,
    device: torch.device,
    console: Console,
) -> Progressed:
    settings = config.training
    torch.set_num_threads(settings.threads or _choose_threads(config, dataset))

    torch.manual_seed(settings.seed)
    model = build_model(config, len(dataset.components)).to(device)
    optimizer = make_optimizer(model, settings)
    now = Progressed()
    if (run / LAST).is_file():
        saved = load_checkpoint(run / LAST)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        now = Progressed(**saved["progress"])
    _cut_curve(run, now.step)
    loader = make_loader(dataset, settings.batch, shuffle=True, seed=settings.seed, drop_last=True)

    def save() -> None:
        content = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": asdict(now)}
        save_checkpoint(run / LAST, content)

    def validate() -> float:
        mse = math.nan if validation is None else mean_squared_error(model, validation, device)
        if validation is None or mse < now.best_validation:
            now.best_step, now.best_validation = now.step, mse
            save_checkpoint(
                run / BEST, {"model": model.state_dict(), "step": now.step, "validation_mse": mse}
            )
        return mse

    begin, before = perf_counter(), now.seconds
    batches = _timed(loader.steps(now.step), now)
    progress = Progress(*columns("steps"), TextColumn("loss {task.fields[loss]:.3g}"), console=console)
    with progress, (run / CURVE).open("a", encoding="utf-8") as curve:
        bar = progress.add_task("train", total=settings.steps, completed=now.step, loss=now.smoothed)
        try:
            while not now.finished:
                inputs, targets = next(batches)
                loss = _step(model, optimizer, inputs.to(device), targets.to(device), config, now.step)
                now.step += 1
                now.smoothed = loss if math.isnan(now.smoothed) else 0.9 * now.smoothed + 0.1 * loss
                if not math.isfinite(loss):
                    raise RunError(
                        f"the loss is {loss} at step {now.step}; lower training.learning_rate, or clip"
                    )
                now.seconds = before + perf_counter() - begin
                last = now.step >= settings.steps
                line: dict[str, float] = {}
                if now.step % LOG_EVERY == 0 or last:
                    line = {"loss": loss, "smoothed_loss": now.smoothed}
                    progress.update(bar, completed=now.step, loss=now.smoothed)
                if now.step % settings.evaluate_every == 0 or last:
                    mse = validate()
                    line |= {} if math.isnan(mse) else {"validation_mse": mse}
                    stale = (now.step - now.best_step) // settings.evaluate_every
                    now.finished = last or (settings.patience is not None and stale >= settings.patience)
                if line:
                    rate = learning_rate(settings, now.step - 1)
                    row = {"step": now.step, "learning_rate": rate, **line, "seconds": round(now.seconds, 4)}
                    curve.write(json.dumps(row) + "\n")
                if now.step % settings.evaluate_every == 0 or now.finished:
                    curve.flush()
                    save()
        except KeyboardInterrupt:
            curve.flush()
            save()
            raise
    write_text(run / TRAINING, json.dumps(_summary(now), indent=1) + "\n")
    return now


def _summary(now: Progressed) -> dict[str, Any]:
    """What `training.json` holds; the file is there only when the run has ended."""
    return {
        "steps": now.step,
        "best_step": now.best_step,
        "validation_mse": now.best_validation if math.isfinite(now.best_validation) else None,
        "final_smoothed_loss": now.smoothed,
        "seconds": now.seconds,
        "waiting_share": now.waiting / max(now.seconds, 1e-9),
    }


def _step(
    model: RecurrentModel,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    targets: Tensor,
    config: Experiment,
    step: int,
) -> float:
    """One step of the optimiser; the loss before it."""
    settings = config.training
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(settings, step)
    optimizer.zero_grad(set_to_none=True)
    loss = mse_loss(model(inputs), targets)
    loss.backward()
    if settings.clip is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
    optimizer.step()
    return loss.item()


@torch.no_grad()
def mean_squared_error(model: RecurrentModel, dataset: TrajectoryDataset, device: torch.device) -> float:
    """MSE over a whole split, in the dataset's raw units."""
    total, count = 0.0, 0
    for inputs, targets in make_loader(dataset, VALIDATION_BATCH):
        errors = model(inputs.to(device)).cpu() - targets
        if dataset.normalizer is not None:
            errors = errors * errors.new_tensor(dataset.normalizer.std)
        total += errors.double().square().sum().item()
        count += errors.numel()
    return total / count


def _timed(batches: Iterator[Batch], now: Progressed) -> Iterator[Batch]:
    """The same batches; the time spent waiting for them is added up."""
    while True:
        begin = perf_counter()
        batch = next(batches)
        now.waiting += perf_counter() - begin
        yield batch


def choose_device(name: str) -> str:
    """ "auto" is a CUDA device where there is one; any other name is torch's own.

    Raises RunError for a device that is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f'training.device: {name!r} cannot be used ({reason}); "auto" or "cpu" can') from None
    return name


def _choose_threads(config: Experiment, dataset: TrajectoryDataset) -> int:
    hidden = config.model.hidden
    work = config.training.batch * dataset.windows.length * hidden * hidden * 4 * config.model.layers
    return 1 if work < SINGLE_THREAD_WORK else torch.get_num_threads()


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


def _describe(config: Experiment, dataset: TrajectoryDataset, data: Path, run: Path) -> RunConfig:
    """What the run is: its own settings, and the dataset's as the dataset states them."""
    identity = json_hash({"learning": config.learning(), "dataset": dataset.store.id})
    resolved = config.model_dump()
    made = dataset.store.config
    system = made["system"]
    resolved["system"] = {
        **{key: system[key] for key in ("name", "equations", "initial_state", "time_unit")},
        "parameters": {name: parameter["value"] for name, parameter in system["parameters"].items()},
        "description": system["description"],
        "reference": system["reference"],
    }
    resolved |= {key: made[key] for key in ("grid", "dataset", "engine")}
    return RunConfig(
        config=resolved,
        dataset={
            "id": dataset.store.id,
            "path": str(data),
            "relative": relative_path(data, run),
        },
        identity=identity,
        normalizer=dataset.normalizer.state_dict() if dataset.normalizer else None,
        components=list(dataset.components),
    )


def _check_folder(run: Path, described: RunConfig, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that holds something else, or an unfinished run unless it is to be resumed."""
    entries = [path for path in run.iterdir() if path.name != LOCK]
    if not entries:
        return
    same = RunConfig.load(run).identity == described.identity
    finished = (run / LAST).is_file() and load_checkpoint(run / LAST)["progress"]["finished"]
    if same and (resume or finished):
        return
    if not overwrite:
        what = "an unfinished run of this config" if same else "a run of another config or dataset"
        mend = "go on with --resume, or " if same else ""
        raise RunError(f"{run}: holds {what}; {mend}throw it away with --overwrite, or choose another folder")
    for path in entries:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _cut_curve(run: Path, step: int) -> None:
    """Drop the lines behind the checkpoint that the run goes on from; they come again."""
    kept = [json.dumps(line) + "\n" for line in read_curve(run) if line["step"] <= step]
    write_text(run / CURVE, "".join(kept))
