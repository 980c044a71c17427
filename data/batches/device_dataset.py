"""A dataset that lives in the memory of a device: batches are formed there, by number."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..base.representation import told
from .dataset import Batch, TrajectoryDataset

# What is on its way to the device at once: a dataset need not fit into the computer's own memory.
BLOCK_BYTES = 64 << 20


class ResidentDataset(Dataset[Batch]):
    """The samples of a TrajectoryDataset, held on a device; `make_loader` takes it as it takes the other.

    Batches are those of the TrajectoryDataset, bit for bit, but lie on the device. Takes `resident_bytes` there,
    and is a copy: what becomes of the files does not matter any more.
    """

    def __init__(self, dataset: TrajectoryDataset, device: torch.device | str) -> None:
        self.device, self._copied = torch.device(device), repr(dataset)
        self.windows, self.task, self.sample_bytes = dataset.windows, dataset.task, dataset.sample_bytes
        shape = (dataset.trajectories, dataset.windows.samples, len(dataset.components))
        self._states = torch.empty(shape, dtype=dataset.dtype, device=self.device)
        self._beside = {name: torch.empty_like(self._states) for name in dataset.beside}
        self._kept = None if dataset.kept is None else torch.from_numpy(dataset.kept).to(self.device)
        self._channels = None
        if dataset.parameters:
            told = (dataset.trajectories, len(dataset.parameters))
            self._channels = torch.empty(told, dtype=dataset.dtype, device=self.device)
        first, row_bytes = 0, dataset.dtype.itemsize * shape[1] * shape[2]
        for states, channels, beside in dataset.trajectory_blocks(max(1, BLOCK_BYTES // row_bytes)):
            self._states[first : first + len(states)] = states
            if self._channels is not None and channels is not None:
                self._channels[first : first + len(states)] = channels
            for name, values in beside.items():
                self._beside[name][first : first + len(states)] = values
            first += len(states)

    def __repr__(self) -> str:
        return told(type(self), f"on {self.device}, a copy of {self._copied}")

    def __len__(self) -> int:
        return len(self._states) * self.windows.per_row if self._kept is None else len(self._kept)

    def __getitem__(self, index: Tensor) -> Batch:
        """A batch (B, T, D) by sample numbers, an int64 Tensor (B,), on any device."""
        index = index.to(self.device, non_blocking=True)
        index = index if self._kept is None else self._kept[index]
        channels = None if self._channels is None else self._channels[index // self.windows.per_row]
        beside = {name: self._windows(values, index) for name, values in self._beside.items()}
        return self.task.batch(self._windows(self._states, index), channels, beside)

    def _windows(self, states: Tensor, index: Tensor) -> Tensor:
        """Windows (B, length, D) of states (N, T, D) by their numbers."""
        if self.windows.length == self.windows.samples:
            # Twice as fast as indexing.
            return states.index_select(0, index)
        rows = index // self.windows.per_row
        starts = index % self.windows.per_row * self.windows.stride
        steps = torch.arange(self.windows.length, device=self.device)
        return states[rows[:, None], starts[:, None] + steps]


def resident_bytes(dataset: TrajectoryDataset) -> int:
    """Bytes that a dataset takes on a device."""
    states = dataset.windows.samples * len(dataset.components)
    values = states * (1 + len(dataset.beside)) + len(dataset.parameters)
    return dataset.dtype.itemsize * dataset.trajectories * values
