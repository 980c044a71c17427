"""Where a network computes: on which device, and in how many threads."""

import torch
from joblib import cpu_count

from .files import RunError

# Threads meet at every sample of a sequence. Where there is less to multiply between two meetings, two threads that
# wait asleep take as long as one, or longer; two that spin take several times as long on a busy machine.
SINGLE_THREAD_WORK = 10_000_000


def find_device(name: str) -> torch.device:
    """ "auto" is a CUDA device where there is one, else the CPU; any other name is torch's own.

    Raises RunError for a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.device(name)
    except RuntimeError:
        raise RunError(
            f'training.device: torch knows no device {name!r}; expected "auto", "cpu", "cuda" or "cuda:1"'
        ) from None
    try:
        found = torch.empty(0, device=name)
        # Of "meta" nothing comes back, for there are no numbers.
        found.cpu()
        return found.device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f'training.device: {name!r} cannot be used ({reason}); "auto" or "cpu" can') from None


def choose_threads(asked: int | None, work: float, processes: int = 1) -> int:
    """Threads of this process: as many as were asked for; else one where there is little work, or all cores.

    A function of these and of the cores alone, for the number of threads is seen in the last bits.

    work       as of `Model.work`
    processes  of this machine, which share its cores
    """
    if asked is not None:
        return asked
    return 1 if work < SINGLE_THREAD_WORK else max(1, cpu_count() // processes)
