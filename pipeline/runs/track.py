"""A run's curve in another program's form: from metrics.jsonl, so that nothing is kept twice."""

from collections.abc import Callable
from pathlib import Path

from ...data.base.installing import TORCH, install
from ...data.folder.elsewhere import refuse_dataset
from .curve import read_curve
from .files import RunError
from .folder import RunConfig

Curve = list[dict[str, float | str]]
# What TensorBoard's files of ours end in.
OURS = ".trajstore"


def track(run: str | Path, to: str, out: str | Path | None = None) -> Path:
    """Write the curve of a run for a program that shows such curves; the folder that it is in.

    Args:
        run: Its folder.
        to: One of TRACKERS.
        out: The folder; RUN/TRACKER if left out. What trajstore has written there before is gone afterwards.

    Raises:
        RunError: The folder is no run, or has no curve yet, or the program's package is not installed; or `out` lies
            in a dataset.
    """
    run = Path(run)
    RunConfig.load(run)
    if to not in TRACKERS:
        raise RunError(f"--to {to}: expected one of {', '.join(TRACKERS)}")
    lines = list(read_curve(run))
    if not lines:
        raise RunError(f"{run}: has no curve yet; train it first")
    folder = run / to if out is None else Path(out)
    refuse_dataset(folder, error=RunError)
    TRACKERS[to](lines, folder, out is None)
    return folder


def _tensorboard(lines: Curve, folder: Path, alone: bool) -> None:
    """Where nothing lies but what is `alone` ours, earlier versions have not signed it."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ModuleNotFoundError as error:
        if error.name == TORCH:
            raise
        raise RunError(f"tensorboard is not installed; {install('tensorboard')}") from None
    before = list(folder.glob(f"events.out.tfevents.*{'' if alone else OURS}"))
    with SummaryWriter(str(folder), filename_suffix=OURS) as writer:
        for line in lines:
            for name, value in line.items():
                if name != "step" and isinstance(value, int | float):
                    writer.add_scalar(name, value, int(line["step"]))
    for old in before:
        old.unlink()


TRACKERS: dict[str, Callable[[Curve, Path, bool], None]] = {"tensorboard": _tensorboard}
