"""The processes that train one model together, as torchrun starts them: who they are, what they agree on."""

import gc
import itertools
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from ...data.base.errors import TrajstoreError
from ...data.base.files import reason
from ..runs.files import RunError
from ..runtime.interrupts import StopRequest

# A process that is silent for so long counts as lost. One that has ended is noticed at once.
TIMEOUT = timedelta(minutes=10)
# Where the group's store keeps what made a process end.
CAUSE = "cause"
# A process may train more than once; each time its group has a room of its own in torchrun's store.
_groups = itertools.count()

Value = TypeVar("Value")


@dataclass(frozen=True)
class Ranks:
    """This process's place among those that train together; by default it is alone, and agrees with itself.

    rank, size              its number, and how many there are
    local_rank, local_size  the same on this machine

    Each method but `share` is called by all processes, in the same order, and returns the same in all of them.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and shows."""
        return self.rank == 0

    def share(self, key: str, batch: int) -> int:
        """Samples that each process takes of a global batch.

        Raises RunError, which names the key, if they cannot all take as many.
        """
        if batch % self.size:
            raise RunError(
                f"{key}: batches of {batch} cannot be dealt evenly to {self.size} processes; "
                f"expected a multiple of {self.size}"
            )
        return batch // self.size

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place; contiguous."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes, in place; contiguous."""
        return self.sum(values).div_(self.size) if self.size > 1 else values

    def from_first(self, value: Value) -> Value:
        """What the first process has."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return values[0]

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            self.sum(torch.zeros(1))

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model, whose gradients are then means over all processes."""
        if self.size == 1:
            return model
        return DistributedDataParallel(model, gradient_as_bucket_view=True)


ALONE = Ranks()


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that torchrun started beside this one; without torchrun this process is alone.

    CPUs talk by gloo, GPUs by nccl. An error that ends one process ends all: the others raise RunError with its
    message, or that says that a process is gone.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    shared, rank, size = next(iter(rendezvous("env://")))
    store = PrefixStore(f"trajstore-{next(_groups)}", shared)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    try:
        yield Ranks(rank, size, local_rank, local_size)
    except (TrajstoreError, OSError) as error:
        message = str(error) if isinstance(error, TrajstoreError) else reason(error)
        with suppress(RuntimeError):
            store.set(CAUSE, message)
        raise
    except KeyboardInterrupt:
        # So torchrun ends the others once one has failed.
        if (cause := _cause(store)) is not None:
            raise RunError(cause) from None
        raise
    except RuntimeError as error:
        if not _of_a_lost_process(error):
            raise
        raise RunError(
            _cause(store)
            or "a process of this training is gone. The last checkpoint is kept: go on from it with the same command "
            "and --resume."
        ) from None
    finally:
        # torchrun asks a process to end when another has; this one is about to, and still has to say why.
        with StopRequest():
            _free_models(sys.exception())
            dist.destroy_process_group()


def _free_models(error: BaseException | None) -> None:
    """Free what was trained before its group ends, also what an error's frames hold.

    A model's reducer is freed with Python's lock held. Were it the last to hold the group, it would wait for a thread
    of gloo that may itself wait for that lock, to let go of its last tensor.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__
    gc.collect()


def _cause(store: Store) -> str | None:
    with suppress(RuntimeError):
        if store.check([CAUSE]):
            return store.get(CAUSE).decode()
    return None


def _of_a_lost_process(error: RuntimeError) -> bool:
    """Whether it comes from talking to the others. gloo's errors have no type of their own."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)
