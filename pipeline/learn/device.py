"""Where a model is trained: on which device, and where its dataset lives."""

import torch

from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.device_dataset import ResidentDataset, resident_bytes
from ..runs.device import find_device
from ..runs.files import RunError
from .ranks import ALONE, Ranks


def choose_device(name: str, ranks: Ranks = ALONE) -> torch.device:
    """ "auto" is a CUDA device where there is one, else the CPU; any other name is torch's own.

    Of several processes each has a CUDA device of its own, in their order. Raises RunError for a device that is
    not there.
    """
    if name == "auto" and torch.cuda.is_available():
        name = "cuda"
    if ranks.size > 1 and name.startswith("cuda"):
        if name != "cuda":
            raise RunError(
                f'training.device: {name!r} is one device for {ranks.size} processes; "cuda" gives each its own'
            )
        name = f"cuda:{ranks.local_rank}"
    device = find_device(name)
    if ranks.size > 1 and device.type == "cuda":
        # What is not told a device, such as nccl, else takes the first one in every process.
        torch.cuda.set_device(device)
    return device


def place(dataset: TrajectoryDataset, device: torch.device) -> TrajectoryDataset | ResidentDataset:
    """The dataset, in the memory of a CUDA device if half of what is free there is enough.

    On a CPU it stays where it is: training hardly waits for batches from the memory map.
    """
    if device.type != "cuda" or resident_bytes(dataset) > torch.cuda.mem_get_info(device)[0] // 2:
        return dataset
    return ResidentDataset(dataset, device)
