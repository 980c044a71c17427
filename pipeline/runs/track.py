"""A run's curve in another program's form: from metrics.jsonl, so that nothing is kept twice."""

from collections.abc import Callable
from pathlib import Path

from ...data.base.installing import TORCH, install
from .curve import read_curve
from .files import RunError
from .folder import RunConfig


def track(run: str | Path, to: str, out: str | Path | None = None) -> Path:
    """Write the curve of a run for a program that shows such curves; the folder that it is in.

    Args:
        run: Its folder.
        to: One of TRACKERS.
        out: The folder; RUN/TRACKER if left out. What it holds of the same run is written anew.

    Raises:
        RunError: The folder is no run, or has no curve yet, or the program's package is not installed.
    """
    run = Path(run)
    RunConfig.load(run)
    if to not in TRACKERS:
        raise RunError(f"--to {to}: expected one of {', '.join(TRACKERS)}")
    lines = list(read_curve(run))
    if not lines:
        raise RunError(f"{run}: has no curve yet; train it first")
    folder = run / to if out is None else Path(out)
    TRACKERS[to](lines, folder)
    return folder


def _tensorboard(lines: list[dict[str, float | str]], folder: Path) -> None:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ModuleNotFoundError as error:
        if error.name == TORCH:
            raise
        raise RunError(f"tensorboard is not installed; {install('tensorboard')}") from None
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(folder)) as writer:
        for line in lines:
            for name, value in line.items():
                if name != "step" and isinstance(value, int | float):
                    writer.add_scalar(name, value, int(line["step"]))


TRACKERS: dict[str, Callable[[list[dict[str, float | str]], Path], None]] = {"tensorboard": _tensorboard}
