"""What does a dataset of very many shards cost to open, to check in parts, and to grow by one shard?

The shards are tiny: a row each, stamped out from one that `generate` wrote, so that `verify` finds them sound and
`generate` goes on with them. Beside it the same dataset with its records in one manifest, as few shards have them.
Needs 17 kB of disk a shard.
"""

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

import click
import h5py
import numpy as np
from report import figure, machine, repeated, rounds, seconds, spread, table, verdict
from trajstore.data import Manifest, load_manifest, read_shard, write_shard
from trajstore.data.base.hashing import content_hash
from trajstore.data.folder import manifest as manifest_module
from trajstore.data.shard.schema import PARTS_VERSION, VERSION, shard_name
from trajstore.data.shard.shard import ShardRecord
from trajstore.data.shard.statistics import Moments
from trajstore.pipeline import Experiment, generate, load_config, make_engine
from trajstore.pipeline.describe.documents import save_dataset

CONFIG = Path(__file__).parents[1] / "configs" / "van-der-pol.toml"
TINY = ("grid.duration=0.2", "dataset.shard_rows=1", "dataset.validation=1", "dataset.test=1")
# Nothing else in a shard has these eight bytes.
MARK = 3_141_592_653_589
OPEN = """
import sys, time
begin = time.perf_counter()
from trajstore.data import TrajectoryDataset
imported = time.perf_counter()
dataset = TrajectoryDataset(sys.argv[1])
opened = time.perf_counter()
import numpy
# Of this process alone: that of `getrusage` begins with its parent's.
held = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
peak = int(held[0]) / 1e3
batch = time.perf_counter()
dataset[numpy.random.default_rng(0).integers(0, len(dataset), 256)]
print(imported - begin, opened - imported, time.perf_counter() - batch, peak)
"""


def overrides(shards: int) -> tuple[str, ...]:
    return (*TINY, f"dataset.train={shards}")


def stamp(config: Experiment, folder: Path, shards: int) -> list[ShardRecord]:
    """Write so many shards of a row each, and say what the manifest keeps of them."""
    shard = read_shard(folder / shard_name("train", 0))
    marked = replace(shard, trajectory=np.array([MARK]), attributes={**shard.attributes, "first_row": MARK})
    path = folder / shard_name("train", 0)
    written = write_shard(path, marked).content_hash.encode()
    with h5py.File(path) as file:
        offsets = {name: file[name].id.get_offset() for name in ("state", "initial_state")}
    raw, mark = bytearray(path.read_bytes()), MARK.to_bytes(8, "little")
    places = [at for at in range(len(raw)) if raw.startswith(mark, at)]
    stated = raw.index(written)
    engine = make_engine(config.dynamics, config.engine, config.grid.resample, shards)
    starts = config.initial_state_rows("train", 0, shards)
    solution = engine.solve(starts, config.parameter_rows("train", 0, shards), config.times)
    solved, status = solution.states, solution.status
    if status.any() or len(places) != 2:
        raise SystemExit("rows failed, or the shard is laid out in another way: nothing to stamp")
    states = solved.astype(shard.state.dtype)
    records = []
    for row in range(shards):
        here = slice(row, row + 1)
        changed = {
            "state": states[here],
            "initial_state": starts[here],
            "trajectory": np.arange(row, row + 1),
        }
        content = content_hash({**shard.variables, **changed})
        raw[stated : stated + 64] = content.encode()
        for at in places:
            raw[at : at + 8] = row.to_bytes(8, "little")
        for name, at in offsets.items():
            raw[at : at + changed[name].nbytes] = changed[name].tobytes()
        path = folder / shard_name("train", row)
        path.write_bytes(raw)
        records.append(
            ShardRecord(
                file=path.name,
                first_row=row,
                rows=1,
                failed=0,
                bytes=len(raw),
                sha256=sha256(raw).hexdigest(),
                content_hash=content,
                statistics=Moments.of(states[here]),
            )
        )
    return records


def make(folder: Path, shards: int) -> None:
    """The dataset of so many shards."""
    small = load_config(CONFIG, overrides(1))
    config = load_config(CONFIG, overrides(shards))
    first = generate(small, folder).manifest
    splits = {name: split.shards for name, split in first.splits.items()}
    splits["train"] = stamp(small, folder, shards)
    system = config.dynamics
    save_dataset(folder, Manifest.of(config.generation(), system.to_dict(), list(system.states), splits))


def in_one_file(folder: Path, beside: Path) -> None:
    """The same dataset, its records in one manifest; of the shards it has the first alone, which opening reads."""
    manifest_module.needs_parts = lambda shards, components: False
    kept = load_manifest(folder)
    beside.mkdir()
    (beside / kept.shards[0].file).hardlink_to(folder / kept.shards[0].file)
    splits = {name: split.shards for name, split in kept.splits.items()}
    whole = Manifest.of(kept.config, kept.system, kept.components, splits)
    if (kept.format_version, whole.format_version) != (PARTS_VERSION, VERSION):
        raise SystemExit("too few shards for a manifest in parts")
    save_dataset(beside, whole)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "trajstore.pipeline", *arguments]


def run(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr or done.stdout)
    return done.stdout


def opening(folder: Path, figures: dict[str, list[float]], batch: bool) -> float:
    """Seconds to open, in a process of its own; beside it the imports, a batch and the peak of memory."""
    code = OPEN if batch else OPEN.replace("dataset[numpy", "len([numpy").replace("256)]", "256)])")
    found = map(float, run([sys.executable, "-c", code, str(folder)]).split())
    for name, value in zip(("imports", "open", "batch", "peak"), found, strict=True):
        figures.setdefault(name, []).append(value)
    return figures["open"][-1]


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (status.st_ino, status.st_mtime_ns, status.st_size) for name, status in found.items()}


def written(before: dict[str, tuple[int, int, int]], after: dict[str, tuple[int, int, int]]) -> str:
    """How many files, and bytes, are new or were written again; the largest of them."""
    changed = {name: status[2] for name, status in after.items() if status != before.get(name)}
    changed.pop(".lock", None)
    largest = ", ".join(sorted(changed, key=changed.__getitem__, reverse=True)[:3])
    total = sum(changed.values())
    return f"{len(changed)} files, {total / 1e6:,.2f} MB ({largest})" if changed else "nothing"


@click.command(help=__doc__)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--shards", default=100_000, show_default=True)
@click.option("--repetitions", default=5, show_default=True)
def main(folder: Path, shards: int, repetitions: int) -> None:
    dataset, beside = folder / "many", folder / "one-file"
    print(machine("numpy", "h5py", "pydantic", "torch"), flush=True)
    try:
        making = seconds(lambda: make(dataset, shards))
        in_one_file(dataset, beside)
        print(f"{shards:,} shards stamped and listed in {making:,.0f} s.", flush=True)
        parts: dict[str, list[float]] = {}
        one: dict[str, list[float]] = {}
        opened = rounds(
            {"parts": lambda: opening(dataset, parts, True), "one": lambda: opening(beside, one, False)},
            repetitions,
        )
        rows = [
            ("open", f"`TrajectoryDataset({dataset.name!r})`", spread(opened["parts"]), "nothing"),
            (
                "open, one file",
                "the same with all records in manifest.json",
                spread(opened["one"]),
                "nothing",
            ),
            ("first batch", "256 rows of as many shards", spread(parts["batch"]), "nothing"),
        ]
        growing = command("generate", str(CONFIG), "--out", str(dataset))
        for what, arguments in (
            ("info", command("info", str(dataset))),
            ("verify a part", command("verify", str(dataset), "--shards", "0:1000")),
            ("nothing to do", [*growing, *(f"--set={key}" for key in overrides(shards))]),
            ("append one shard", [*growing, *(f"--set={key}" for key in overrides(shards + 1))]),
            ("append another", [*growing, *(f"--set={key}" for key in overrides(shards + 2))]),
            ("verify the new end", command("verify", str(dataset), "--shards", f"{shards - 10}:")),
        ):
            before = stamps(dataset)
            took = seconds(lambda arguments=arguments: run(arguments))
            shown = " ".join(
                ["trajstore", arguments[3], *(arguments[5:] if what.startswith("verify") else ())]
            )
            rows.append((what, f"`{shown}`", figure(took), written(before, stamps(dataset))))
        metadata = sum(path.stat().st_size for path in beside.iterdir() if path.suffix != ".h5")
        rows.append(("append, one file", "all of its metadata, by size", "-", f"{metadata / 1e6:,.1f} MB"))
        print(table(("what", "how", "seconds", "written"), rows))
        print(repeated(opened), "Commands once each, with the start of Python and its imports.")
        print(f"Imports, of torch most of all: {spread(parts['imports'])} s, not in the seconds to open.")
        print(f"Peak of memory: {spread(parts['peak'])} MB in parts, {spread(one['peak'])} MB in one file.")
        median = sorted(opened["parts"])[len(opened["parts"]) // 2]
        print(verdict(f"{shards:,} shards open in under 2 s", median < 2, f"{median:.2f} s"))
    finally:
        for made in (dataset, beside):
            rmtree(made, ignore_errors=True)


if __name__ == "__main__":
    main()
