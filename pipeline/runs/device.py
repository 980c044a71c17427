"""The device that a config names."""

import torch

from .files import RunError


def find_device(name: str) -> torch.device:
    """ "auto" is a CUDA device where there is one, else the CPU; any other name is torch's own.

    Raises RunError for a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f'training.device: {name!r} cannot be used ({reason}); "auto" or "cpu" can') from None
