"""One way to read a dataset, in a process of its own: `python cold_reads.py '{"way": ..., ...}'` prints what it did.

The keys of the argument, beside `way`: folder, batch, and what that way needs.
"""

import json
import mmap
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

BYTES_A_READ = 4 << 20


def sequential(asked: dict[str, Any]) -> dict[str, Any]:
    """All files from end to end, as dd reads them."""
    buffer = memoryview(bytearray(BYTES_A_READ))
    begin, total = perf_counter(), 0
    for path in sorted(Path(asked["folder"]).glob("train-*.h5")):
        with path.open("rb", buffering=0) as file:
            while read := file.readinto(buffer):
                total += read
    return {"bytes": total, "seconds": perf_counter() - begin}


def batches(asked: dict[str, Any]) -> dict[str, Any]:
    """Batches of make_loader, of one epoch at most, until the `seconds` are over.

    `options` are the loader's own, `random` advises the kernel of random reads from the maps.
    """
    import torch
    from trajstore.data import TrajectoryDataset, make_loader
    from trajstore.data.batches.loader import BLOCK_ROWS

    torch.set_num_threads(1)
    dataset = TrajectoryDataset(asked["folder"], "train")
    if asked.get("random"):
        _advise_random(dataset)
    begin, samples, first = perf_counter(), 0, 0.0
    for _, targets in make_loader(dataset, asked["batch"], drop_last=True, **asked["options"]):
        samples += len(targets)
        first = first or perf_counter() - begin
        # What was gathered together was also waited for together.
        if perf_counter() - begin > asked["seconds"] and samples % BLOCK_ROWS == 0:
            break
    seconds, read = perf_counter() - begin, samples * dataset.store.row_bytes
    return {"bytes": read, "seconds": seconds, "samples": samples, "first": first}


def training(asked: dict[str, Any]) -> dict[str, Any]:
    """`trajstore train` of a small LSTM: `training` are the keys of its section."""
    from trajstore.pipeline import train
    from trajstore.pipeline.config.file import check_learning

    config = check_learning({"training": {"threads": 1, "device": "cpu", **asked["training"]}}, "benchmark")
    with TemporaryDirectory(dir=Path(asked["folder"]).parent) as run:
        standing = train(config, Path(asked["folder"]), Path(run))
    samples = standing.step * config.training.batch
    return {"seconds": standing.seconds, "waiting": standing.waiting / standing.seconds, "samples": samples}


def _advise_random(dataset: Any) -> None:
    """madvise(2) for every shard's map: one page at a time, none ahead."""
    for number in range(len(dataset.store.parts)):
        mapped = dataset.store._part(number)._states
        while not isinstance(mapped, mmap.mmap):
            # An array has a base, a memoryview the object that it looks at.
            mapped = mapped.obj if isinstance(mapped, memoryview) else mapped.base
        mapped.madvise(mmap.MADV_RANDOM)


WAYS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "sequential": sequential,
    "batches": batches,
    "training": training,
}


def _peak() -> int:
    """Of this process's own resident memory, maps included, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    done = WAYS[request["way"]](request)
    print(json.dumps({**done, "peak": _peak()}))
