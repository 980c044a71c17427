"""Where a model is trained: which device, how many threads."""

import os

import torch

from .config import Learning
from .run import RunError

# Below so many multiplications a step, a second thread costs more than it gives.
SINGLE_THREAD_WORK = 30_000_000


def choose_device(name: str) -> torch.device:
    """ "auto" is a CUDA device where there is one, else the CPU; any other name is torch's own.

    Raises RunError for a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f'training.device: {name!r} cannot be used ({reason}); "auto" or "cpu" can') from None


def choose_threads(config: Learning, samples: int) -> int:
    """Threads for the config's batches of sequences of so many samples: one where they are small."""
    if config.training.threads is not None:
        return config.training.threads
    model = config.model
    work = config.training.batch * samples * 4 * model.hidden**2 * model.layers
    return 1 if work < SINGLE_THREAD_WORK else os.cpu_count() or 1
