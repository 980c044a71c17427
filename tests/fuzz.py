"""Real files, damaged in many ways and read: nothing may crash, hang, grow without bound or fail unexpectedly.

    python tests/fuzz.py            # CASES=100000 SEED=0 JOBS=2 in the environment choose how many, and which
    python tests/fuzz.py 4711       # one case again; its file is kept

Case number n is the same whatever the number of cases and jobs. Shards are read as `trajstore verify` reads them, by
a child process; manifests and checkpoints by this one. Prints a table; exits with 1 if a case came out otherwise than
as sound, as unsound, or refused with a message.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from conftest import _make_shard, _write_dataset
from rich.console import Console
from rich.table import Table
from trajstore.data import TrajstoreError, verify, write_shard
from trajstore.data.batches.split import Store
from trajstore.data.folder.names import MANIFEST
from trajstore.data.integrity.child_reader import IsolatedReader
from trajstore.pipeline import load_trained
from trajstore.pipeline.runs.files import save_checkpoint
from trajstore.pipeline.runtime.bars import Bars

SHARD = "train-00000.h5"
SECONDS = 10
MEMORY_BYTES = 128 << 20
# Values that integer fields of a format break on.
EXTREMES = (0, 1, -1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63)
JSON_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, float("nan"), 10**400, 2**63, "", "x", "../" * 5 + "etc/passwd", "/dev/zero",
    "\x1b[31m", "\ud800", [], {}, [[]] * 3, {"x": {}}, "9" * 5000,
)  # fmt: skip
# What may become of a case, and then what may not.
GOOD = ("refused", "found unsound", "sound", "crashed HDF5, caught", "hung, caught")
BAD = "failed unexpectedly"


@dataclass(frozen=True)
class Kind:
    """Files of one kind: the whole one, where it is most worth damaging, and what reads it."""

    name: str
    file: str
    whole: bytes
    hot: np.ndarray
    read: Callable[[Path, IsolatedReader], list[str]]


@dataclass
class Summary:
    """What became of the cases of each kind; what each that failed unexpectedly, or crashed the library, said."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    caught: dict[int, str] = field(default_factory=dict)
    slowest: float = 0.0
    peak_bytes: int = 0


def make_kinds(folder: Path) -> list[Kind]:
    """The files that are damaged; they are written below the folder."""
    kinds = []
    for name, compression in (("shard", None), ("gzip shard", "gzip")):
        path = folder / name / SHARD
        path.parent.mkdir()
        write_shard(path, _make_shard(6, 5), compression)
        with h5py.File(path) as file:
            state = file["state"]
            stored = state.id.get_chunk_info(0) if state.chunks else None
            first = stored.byte_offset if stored else state.id.get_offset()
            size = stored.size if stored else state.nbytes
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        used = np.flatnonzero(whole)
        # HDF5's own structures, not the numbers.
        hot = used[(used < first) | (used >= first + size)]
        kinds.append(Kind(name, SHARD, whole.tobytes(), hot, lambda path, reader: reader("problems", path)))
    dataset = _write_dataset(folder / "dataset", {"train": [_make_shard(6, 5)]})
    text = (dataset / MANIFEST).read_bytes()
    kinds.append(Kind("manifest", MANIFEST, text, np.arange(len(text)), _read_manifest(dataset)))
    checkpoint = folder / "best.pt"
    save_checkpoint(checkpoint, _tiny_checkpoint())
    whole = checkpoint.read_bytes()
    hot = np.flatnonzero(np.frombuffer(whole, np.uint8))
    kinds.append(Kind("checkpoint", "best.pt", whole, hot, _read_checkpoint))
    return kinds


def _tiny_checkpoint() -> dict[str, Any]:
    import torch
    from trajstore.models import make_model

    torch.manual_seed(0)
    model = make_model("lstm", 2, 2, hidden=2)
    run = {
        "config": {"model": {"name": "lstm", "hidden": 2}},
        "dataset": {"id": "0", "path": ".", "relative": "."},
        "identity": "0",
        "normalizer": None,
        "components": ["x1", "x2"],
    }
    return {"run": run, "model": model.state_dict(), "step": 3}


def _read_manifest(dataset: Path) -> Callable[[Path, IsolatedReader], list[str]]:
    def read(path: Path, reader: IsolatedReader) -> list[str]:
        for part in dataset.iterdir():
            if part.name != MANIFEST and not (path.parent / part.name).exists():
                os.link(part, path.parent / part.name)
        problems = verify(path.parent)
        Store(path.parent, "train").gather(np.arange(1), None, _windows())
        return problems

    return read


def _windows() -> Any:
    from trajstore.data.batches.windows import Windows

    return Windows(5, 5)


def _read_checkpoint(path: Path, reader: IsolatedReader) -> list[str]:
    load_trained(path)
    return []


def damaged(kind: Kind, generator: np.random.Generator) -> bytes:
    """The file after one to four changes, most of them where they matter."""
    if kind.file == MANIFEST and generator.random() < 0.5:
        return _edited(kind.whole, generator)
    content = bytearray(kind.whole)
    for _ in range(1 + int(generator.integers(4))):
        if len(content) < 2:
            break
        hot = generator.random() < 0.8
        at = int(generator.choice(kind.hot) if hot else generator.integers(len(content)))
        at = min(at, len(content) - 1)
        length = int(generator.integers(1, min(64, len(content))))
        other = int(generator.integers(len(content)))
        match int(generator.integers(8)):
            case 0 | 1:
                content[at] ^= 1 << int(generator.integers(8))
            case 2:
                content[at] = int(generator.integers(256))
            case 3 | 4:
                width = int(generator.choice([1, 2, 4, 8]))
                value = int(generator.choice(len(EXTREMES)))
                begin = at - at % width
                content[begin : begin + width] = (EXTREMES[value] % 2 ** (8 * width)).to_bytes(
                    width, "little"
                )
            case 5:
                content[at : at + length] = content[other : other + length]
            case 6:
                content[at:at] = content[other : other + length]
            case 7:
                if generator.random() < 0.5:
                    del content[at:]
                else:
                    del content[at : at + length]
    return bytes(content)


def _edited(whole: bytes, generator: np.random.Generator) -> bytes:
    """JSON in which a value, somewhere, is another one."""
    raw = json.loads(whole)
    place: Any = raw
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = keys[int(generator.integers(len(keys)))]
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or generator.random() < 0.2:
            break
        place = inner
    place[key] = JSON_VALUES[int(generator.integers(len(JSON_VALUES)))]
    return json.dumps(raw).encode()


def run_case(
    number: int, seed: int, kinds: list[Kind], folder: Path, reader: IsolatedReader
) -> tuple[str, str, str]:
    """Kind, outcome and message of one case."""
    generator = np.random.default_rng([seed, number])
    kind = kinds[int(generator.choice(len(kinds), p=[0.45, 0.35, 0.1, 0.1]))]
    place = folder / kind.name
    place.mkdir(exist_ok=True)
    path = place / kind.file
    path.write_bytes(damaged(kind, generator))
    try:
        problems = kind.read(path, reader)
    except TrajstoreError as error:
        said = str(error)
        if "crashes on it" in said:
            return kind.name, "crashed HDF5, caught", said
        if "does not end" in said or "was killed" in said:
            return kind.name, "hung, caught", said
        return kind.name, "refused" if str(path.parent) in said else BAD, said
    except Exception as error:
        return kind.name, BAD, f"{type(error).__name__}: {error}"
    return kind.name, "found unsound" if problems else "sound", "\n".join(problems)


def run_cases(
    cases: int, seed: int = 0, jobs: int = 1, report: Callable[[int], None] = lambda done: None
) -> Summary:
    """Cases 0 to `cases`; `report` is called with how many more are done."""
    summary, lock = Summary(), threading.Lock()
    # Not on a disk: a hundred thousand files are written.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        dir=memory if memory.is_dir() else None, prefix="trajstore-fuzz-"
    ) as name:
        kinds = make_kinds(Path(name))

        def work(job: int) -> None:
            folder = Path(name) / f"job-{job}"
            folder.mkdir()
            with IsolatedReader(SECONDS, MEMORY_BYTES) as reader:
                for number in range(job, cases, jobs):
                    began = time.perf_counter()
                    kind, outcome, said = run_case(number, seed, kinds, folder, reader)
                    spent, peak = time.perf_counter() - began, reader.peak_bytes()
                    with lock:
                        summary.outcomes[kind, outcome] += 1
                        summary.slowest = max(summary.slowest, spent)
                        summary.peak_bytes = max(summary.peak_bytes, peak)
                        if outcome == BAD:
                            summary.failures[number] = said
                        elif outcome in GOOD[3:]:
                            summary.caught[number] = said
                    report(1)

        threads = [threading.Thread(target=work, args=(job,)) for job in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return summary


def print_summary(console: Console, summary: Summary) -> None:
    kinds = sorted({kind for kind, _ in summary.outcomes})
    table = Table("file", "cases", *GOOD, BAD)
    for kind in [*kinds, None]:
        counts = [
            sum(
                count
                for (one, outcome), count in summary.outcomes.items()
                if outcome == name and kind in (one, None)
            )
            for name in (*GOOD, BAD)
        ]
        table.add_row(kind or "all", f"{sum(counts):,}", *(f"{count:,}" for count in counts))
    console.print(table)
    console.print(f"slowest case {summary.slowest:.2f} s; largest child {summary.peak_bytes / 2**20:.0f} MiB")
    for what, cases in (("caught", summary.caught), (BAD, summary.failures)):
        for number, said in sorted(cases.items())[:50]:
            console.print(f"case {number} {what}: {said}", markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    cases, seed = int(os.environ.get("CASES", "100000")), int(os.environ.get("SEED", "0"))
    console = Console(stderr=True)
    if len(sys.argv) > 1:
        folder = Path(tempfile.mkdtemp(prefix="trajstore-fuzz-"))
        with IsolatedReader(SECONDS, MEMORY_BYTES) as reader:
            print(folder, *run_case(int(sys.argv[1]), seed, make_kinds(folder), folder, reader))
        return
    jobs = int(os.environ.get("JOBS", str(os.cpu_count() or 1)))
    with Bars("cases", console=console) as progress:
        task = progress.add_task("fuzz", total=cases)
        summary = run_cases(cases, seed, jobs, lambda done: progress.update(task, advance=done))
    print_summary(Console(width=max(console.width, 140)), summary)
    sys.exit(1 if summary.failures else 0)


if __name__ == "__main__":
    main()
