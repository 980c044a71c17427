"""The torch Dataset: trajectories of one split as (inputs, targets) of a task."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..base.arguments import names, one_of, whole_number
from ..base.errors import DataError
from ..base.representation import few, system_name, told
from ..remote.opening import shown
from ..shard.limits import STATE_VARIABLES
from ..shard.schema import DERIVATIVE
from ..tasks.registry import get_task
from ..tasks.task import TARGET, Task
from .channels import read_channels
from .dtypes import Dtype, sample_dtype
from .needs import TARGETS, check_stored
from .normalize import Normalizer
from .numbering import Index, sample_numbers, windows_within
from .split import Store
from .windows import Windows

Batch = tuple[Tensor, Tensor]
Computed = Callable[[np.ndarray, np.ndarray | None, Windows], np.ndarray]


class TrajectoryDataset(Dataset[Batch]):
    """Trajectories of a split, read from disk as they are asked for.

    `dataset[i]` with an int is one sample: inputs and targets, each of shape (T, D) and the dataset's dtype. With
    a slice, a sequence or an array of ints it is a batch, (B, T, D). Rows whose integration failed are left out;
    `failed` counts them.

    Args:
        path: A dataset folder, or one `.h5` shard; or its address, `https://` or `hf://ORG/NAME[@REVISION]`, of
            which only the bytes come that are asked for.
        split: "train", "validation" or "test". None is the split of the shard, or "train" of a folder.
        task: "initial-value" or "forecast", see `trajstore.data.tasks`; or a `Task`, as `get_task` makes one that has
            settings, or of your own.
        window: How many points a sample has; None takes whole trajectories.
        stride: How many points lie between the starts of two windows.
        normalize: True standardises by the moments of the train split, a `Normalizer` by its own, False not at
            all.
        parameters: Names of the system's parameters that go with the inputs, as channels that are constant in
            time.
        target: "clean" takes the targets from the states without noise, where these are stored. The inputs are as
            observed.
        parameter_normalizer: How the parameters are standardised. None takes the moments of the train split if
            `normalize` asks for any.
        computed: What makes a variable that a task needs and that is not stored, by its name: called with rows,
            window numbers or None, and windows, it gives (B, length, D), as `Store.gather` does.
        dtype: Of inputs, targets and `states`: float32 or float64, as torch's, as NumPy's or by name.

    Raises:
        FormatError: The path is no dataset.
        DataError: An argument is impossible.
    """

    def __init__(
        self,
        path: str | Path,
        split: str | None = None,
        task: str | Task = "initial-value",
        *,
        window: int | None = None,
        stride: int = 1,
        normalize: bool | Normalizer = False,
        parameters: Sequence[str] = (),
        parameter_normalizer: Normalizer | None = None,
        target: Literal["observed", "clean"] = "observed",
        computed: Mapping[str, Computed] | None = None,
        dtype: Dtype = torch.float32,
    ) -> None:
        if not isinstance(normalize, bool | Normalizer):
            raise DataError(f"normalize is {normalize!r:.80}; expected True, False or a Normalizer")
        self.dtype = sample_dtype(dtype)
        self.parameters = names("parameters", parameters)
        stride = whole_number("stride", stride, 1)
        window = None if window is None else whole_number("window", window, 1)
        self.target = TARGETS[one_of("target", target, TARGETS)]
        self.task = get_task(task)
        self.store = Store(path, split)
        self.task = self.task.on(self.components)
        samples = len(self.store.time)
        window = self.task.usual_window if window is None else window
        self.windows = Windows(samples, samples if window is None else window, stride)
        if self.windows.length < self.task.minimum_length:
            raise DataError(
                f"task {self.task.name!r} needs windows of at least {self.task.minimum_length} samples"
            )
        self._computed = dict(computed or {})
        check_stored(self.store, self.task, self.target, self._computed)
        # Numbers, among the windows of all sound rows, of the samples; None where all are samples.
        self.kept: np.ndarray | None = None
        self.failed = self.store.failed
        self._rows = self.store.sound_rows()
        self.trajectories = len(self.store) if self._rows is None else len(self._rows)
        if not self.trajectories:
            raise DataError(
                f"{shown(self.store.path)}: every row of the split {self.store.split!r} failed; nothing to read"
            )
        if self.task.limits:
            self.kept = self._within(self.task.limits)
        self.normalizer: Normalizer | None
        if isinstance(normalize, Normalizer):
            self.normalizer = normalize
        else:
            self.normalizer = Normalizer.of(self.store.statistics) if normalize else None
        self.parameter_normalizer = parameter_normalizer
        self._channels: Tensor | None = None
        if self.parameters:
            self._channels, self.parameter_normalizer = read_channels(
                self.store, self.parameters, self.dtype, bool(normalize), parameter_normalizer
            )

    @property
    def input_size(self) -> int:
        """Channels of the inputs: components, then parameters."""
        return len(self.task.seen(self.components)) + len(self.parameters)

    @property
    def target_components(self) -> tuple[str, ...]:
        """Names of the components of the targets."""
        return self.task.told(self.components)

    @property
    def target_places(self) -> list[int]:
        """Their places among the components."""
        return [self.components.index(name) for name in self.target_components]

    @property
    def target_normalizer(self) -> Normalizer | None:
        """How the targets are standardised; None where they are not."""
        if self.normalizer is None:
            return None
        found = self.normalizer.part(self.target_places)
        return found.of_rates if self.task.rates else found

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the state's components."""
        return self.store.components

    @property
    def time(self) -> np.ndarray:
        """The whole grid, (T,) float64."""
        return self.store.time

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample's inputs and targets."""
        return self.dtype.itemsize * self.windows.length * (len(self.target_components) + self.input_size)

    def __len__(self) -> int:
        return self.trajectories * self.windows.per_row - self.left_out

    @property
    def left_out(self) -> int:
        """Samples that the task leaves out, as too large."""
        return 0 if self.kept is None else self.trajectories * self.windows.per_row - len(self.kept)

    def __repr__(self) -> str:
        failed = f" ({self.failed} more failed)" if self.failed else ""
        parameters = f"; parameters {few(self.parameters)}" if self.parameters else ""
        dtype = str(self.dtype).removeprefix("torch.") + (", normalized" if self.normalizer else "")
        return told(
            type(self),
            f"{system_name(self.store.config)}, {self.store.split}, {self.trajectories} rows{failed} of "
            f"{self.windows}; components {few(self.components)}{parameters}; task {self.task}, {dtype}; "
            f"{self.store.path}",
        )

    def states(self, index: Index, variable: str = "state") -> Tensor:
        """The states of samples as they are stored, whatever the task and `normalize`: raw units, the whole window.

        index     as of `dataset[index]`: one sample by an int is (length, D), several are (B, length, D)
        variable  "clean_state" or "derivative", where they are stored, gives those of the same samples

        Raises IndexError out of range, DataError if there is no such variable.
        """
        if not isinstance(variable, str) or variable not in STATE_VARIABLES:
            raise DataError(f"no variable {variable!r:.80}; there may be {', '.join(STATE_VARIABLES)}")
        numbers = sample_numbers(index, len(self))
        rows, starts = self._locate(np.atleast_1d(numbers))
        states = torch.from_numpy(self.store.gather(rows, starts, self.windows, variable)).to(self.dtype)
        return states if numbers.ndim else states[0]

    def _locate(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Row, and number of the window in it, of each sample; no numbers where there are only whole rows."""
        starts = None
        if self.kept is not None:
            numbers = self.kept[numbers]
        if self.windows.length < self.windows.samples:
            numbers, starts = self.windows.locate(numbers)
        return self.stored_rows(numbers), starts

    def places(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of samples (n,) their rows within the split, and the points at which they begin."""
        rows, starts = self._locate(numbers)
        return rows, np.zeros_like(rows) if starts is None else starts * self.windows.stride

    def stored_rows(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers within the split of sound rows, which are numbered from 0 without those that failed."""
        return numbers if self._rows is None else self._rows[numbers]

    def block_bounds(self, block_bytes: int) -> np.ndarray:
        """Cut the samples into blocks of whole rows of at most so many bytes, that are read together.

        Block b has the samples bounds[b] up to (without) bounds[b + 1], int64.
        """
        bounds = self.store.block_bounds(block_bytes)
        if self._rows is not None:
            bounds = np.unique(np.searchsorted(self._rows, bounds))
        return bounds * self.windows.per_row

    def __getitem__(self, index: Index) -> Batch:
        numbers = sample_numbers(index, len(self))
        rows, starts = self._locate(np.atleast_1d(numbers))
        beside = self._gather_beside(rows, starts, self.windows)
        inputs, targets = self.batch(self.store.gather(rows, starts, self.windows), rows, beside)
        return (inputs, targets) if numbers.ndim else (inputs[0], targets[0])

    @property
    def beside(self) -> dict[str, str]:
        """What samples are made of beside the states and parameters: name for the task -> variable of the store."""
        taken = {} if self.target == "state" else {TARGET: self.target}
        return {**taken, **{name: name for name in self.task.variables}}

    def _gather_beside(
        self, rows: np.ndarray, starts: np.ndarray | None, windows: Windows
    ) -> dict[str, Tensor]:
        """Each of `beside` as the task takes it, (B, length, D)."""
        found = {}
        for name, variable in self.beside.items():
            values = self._gather(variable, rows, starts, windows)
            normalizer = self.normalizer
            if normalizer is not None and variable == DERIVATIVE:
                normalizer = normalizer.of_rates
            found[name] = self._standardised(values, normalizer)
        return found

    def _within(self, limits: Mapping[str, float]) -> np.ndarray:
        """Numbers of the windows that the task keeps. Raises DataError if these are none."""

        def largest(variable: str, numbers: np.ndarray) -> np.ndarray:
            return np.abs(self._gather(variable, *self._locate(numbers), self.windows)).max(axis=(1, 2))

        kept = windows_within(limits, largest, len(self))
        if not len(kept):
            raise DataError(
                f"{shown(self.store.path)}: no sample of {self.store.split} is within the limits of task "
                f"{self.task}, {', '.join(f'{name} {limit:g}' for name, limit in limits.items())}; choose larger ones"
            )
        return kept

    def _gather(
        self, variable: str, rows: np.ndarray, starts: np.ndarray | None, windows: Windows
    ) -> np.ndarray:
        gather = self._computed.get(variable) or partial(self.store.gather, name=variable)
        return gather(rows, starts, windows)

    def batch(self, windows: np.ndarray, rows: np.ndarray, beside: dict[str, Tensor] | None = None) -> Batch:
        """Inputs and targets of stored windows (B, length, D), which are of the given rows of the split.

        beside  what `_gather_beside` gives of the same windows
        """
        channels = None
        if self._channels is not None:
            channels = self._channels[torch.from_numpy(np.ascontiguousarray(rows))]
        return self.task.batch(self._standardised(windows, self.normalizer), channels, beside)

    def _standardised(self, values: np.ndarray, normalizer: Normalizer | None) -> Tensor:
        found = torch.from_numpy(values).to(self.dtype)
        return found if normalizer is None else normalizer.apply(found)

    def trajectory_blocks(self, size: int) -> Iterator[tuple[Tensor, Tensor | None, dict[str, Tensor]]]:
        """Whole trajectories as the network sees them, at most `size` at once, in the order of the rows.

        States (B, T, D), standardised if the samples are; parameters (B, P), None without any; and what there is
        beside.
        """
        rows = np.arange(len(self.store)) if self._rows is None else self._rows
        whole = Windows(self.windows.samples, self.windows.samples)
        for first in range(0, len(rows), size):
            block = rows[first : first + size]
            channels = None if self._channels is None else self._channels[torch.from_numpy(block)]
            states = self._standardised(self.store.gather(block, None, whole), self.normalizer)
            yield states, channels, self._gather_beside(block, None, whole)

    def __getitems__(self, index: list[int]) -> list[Batch]:
        """For torch's own DataLoader with automatic batching; `make_loader` is faster."""
        inputs, targets = self[index]
        return list(zip(inputs, targets, strict=True))
