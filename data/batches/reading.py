"""How samples become batches: how many at once, in which order, for which process, read by whom."""

from dataclasses import dataclass
from typing import Any, Literal

from torch.multiprocessing import get_all_start_methods

from ..base.arguments import seed_of, truth, whole_number
from ..base.errors import DataError
from . import block_sizes


@dataclass(frozen=True)
class Reading:
    """What `make_loader` is given beside the dataset; it says what each value means.

    Raises:
        DataError: A value is impossible.
    """

    batch_size: int
    shuffle: bool | Literal["block"] = False
    seed: int = 0
    drop_last: bool = False
    workers: int = 0
    start_method: str | None = None
    rank: int = 0
    world_size: int = 1
    block_bytes: int = block_sizes.BLOCK_BYTES
    buffer_bytes: int = block_sizes.BUFFER_BYTES

    def __post_init__(self) -> None:
        if self.shuffle not in (True, False, "block"):
            raise DataError(f'shuffle is {self.shuffle!r:.80}; expected True, False or "block"')
        least = {
            "batch_size": 1,
            "workers": 0,
            "rank": 0,
            "world_size": 1,
            "block_bytes": 1,
            "buffer_bytes": 1,
        }
        checked = {name: whole_number(name, getattr(self, name), low) for name, low in least.items()}
        checked |= {"seed": seed_of("seed", self.seed), "drop_last": truth("drop_last", self.drop_last)}
        # Whole numbers of NumPy are Python's from here on.
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.rank >= self.world_size:
            raise DataError(f"rank {self.rank} of world_size {self.world_size}; expected 0 to world_size - 1")
        if self.start_method not in (None, *get_all_start_methods()):
            known = ", ".join(get_all_start_methods())
            raise DataError(f"start_method is {self.start_method!r:.80}; expected None or one of {known}")

    def share(self, samples: int) -> int:
        """How many of so many samples this process uses an epoch. Raises DataError if there are none."""
        whole = samples // self.world_size if self.drop_last else -(-samples // self.world_size)
        used = whole - whole % self.batch_size if self.drop_last else whole
        if not used:
            raise DataError(
                f"batches of {self.batch_size} (x {self.world_size} ranks) from {samples} samples leave none with "
                "drop_last; choose a smaller batch"
            )
        return used

    @property
    def processes(self) -> dict[str, Any]:
        """What torch's DataLoader is told of the processes that read ahead."""
        more = {"multiprocessing_context": self.start_method} if self.workers else {}
        return {"num_workers": self.workers, **more}
