"""Is a dataset whole, unchanged and true to itself? Every departure is a line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .errors import FormatError
from .files import LOCK
from .format import OPTIONAL_VARIABLES, SPLITS, Status
from .grid import initial_time, is_grid
from .hashing import content_hash, json_hash
from .manifest import CHECKSUMS, DOCUMENTS, MANIFEST, Manifest, SplitRecord, document_hashes, load_manifest
from .shard import Shard, ShardRecord, read_shard, record_of

# What the manifest keeps of a shard, beside its name and first row.
RECORDED = {
    "rows": "number of rows",
    "failed": "number of failed rows",
    "bytes": "size",
    "sha256": "SHA-256",
    "content_hash": "content hash",
}


def verify(path: str | Path, report: Callable[[int], None] | None = None) -> list[str]:
    """All problems of a dataset folder or of one shard, a line each; none for a sound one.

    report  called with the number of shards read so far

    Everything is read and every hash computed anew. Raises FormatError if the path is no dataset at all.
    """
    path = Path(path)
    if path.is_file():
        shard = read_shard(path)
        content = content_hash(shard.variables)
        return [f"{path.name}: {problem}" for problem in _shard_problems(shard, content)]
    return list(_folder_problems(path, load_manifest(path), report or (lambda shards: None)))


def _folder_problems(folder: Path, manifest: Manifest, report: Callable[[int], None]) -> Iterator[str]:
    yield from _manifest_problems(folder, manifest)
    done = 0
    for split, split_record in manifest.splits.items():
        for record in split_record.shards:
            for problem in _recorded_shard_problems(folder, manifest, split, record):
                yield f"{record.file}: {problem}"
            done += 1
            report(done)


def _manifest_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    if (folder / MANIFEST).read_text(encoding="utf-8") != manifest.to_json():
        yield f"{MANIFEST}: is not as trajstore wrote it: edited, or written by another version"
    yield from contradictions(manifest)
    if not (folder / CHECKSUMS).is_file():
        yield f"{CHECKSUMS}: missing"
    else:
        yield from _checksum_problems(folder, manifest)
    known = {MANIFEST, CHECKSUMS, LOCK, *DOCUMENTS, *(record.file for record in manifest.shards)}
    for extra in sorted(entry.name for entry in folder.iterdir() if entry.name not in known):
        yield f"{extra}: no part of this dataset"


def contradictions(manifest: Manifest) -> Iterator[str]:
    """How a manifest contradicts itself; a line each."""
    splits = {name: split.shards for name, split in manifest.splits.items()}
    derived = Manifest.of(manifest.config, manifest.config.get("system", {}), manifest.components, splits)
    for key in ("id", "config_hash", "system"):
        if getattr(derived, key) != getattr(manifest, key):
            yield f"{MANIFEST}: {key} does not follow from config and contents: edited"
    for name, split in manifest.splits.items():
        sums = SplitRecord.of(split.shards)
        counts = (sums.trajectories, sums.failed) == (split.trajectories, split.failed)
        if not (counts and sums.statistics.agrees(split.statistics)):
            yield f"{MANIFEST}: counts or statistics of {name} do not follow from its shards: edited"
        first = 0
        for record in split.shards:
            if record.first_row != first:
                yield f"{record.file}: begins at row {record.first_row}, expected {first}"
            first = record.first_row + record.rows
        expected = manifest.config.get("dataset", {}).get(name)
        if expected != split.trajectories:
            yield f"{MANIFEST}: {name} has {split.trajectories} trajectories, its config says {expected}"


def _checksum_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """How SHA256SUMS departs from the manifest, and the documents, which it alone vouches for, from it."""
    text = (folder / CHECKSUMS).read_text(encoding="utf-8", errors="replace")
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in text.splitlines())}
    listed = {name: sums[name] for name in DOCUMENTS if name in sums}
    if text != manifest.checksums(listed):
        yield f"{CHECKSUMS}: differs from the hashes in {MANIFEST}"
    found = document_hashes(folder)
    for name in DOCUMENTS:
        if name in listed and name not in found:
            yield f"{name}: missing"
        elif name in found and name not in listed:
            yield f"{name}: no part of this dataset: {CHECKSUMS} does not list it"
        elif listed.get(name) != found.get(name):
            yield f"{name}: differs from {CHECKSUMS}: edited"


def _recorded_shard_problems(
    folder: Path, manifest: Manifest, split: str, record: ShardRecord
) -> Iterator[str]:
    path = folder / record.file
    if not path.is_file():
        yield "missing"
        return
    try:
        shard = read_shard(path)
    except FormatError as error:
        if path.stat().st_size != record.bytes:
            yield f"{path.stat().st_size} bytes, expected {record.bytes}: truncated or replaced"
        yield str(error).removeprefix(f"{path}: ")
        return
    found = record_of(path, shard, record.file, content_hash(shard.variables))
    for field, said in RECORDED.items():
        if getattr(found, field) != getattr(record, field):
            yield f"{said} differs from {MANIFEST}: the file was changed, or the manifest edited"
    if not found.statistics.agrees(record.statistics):
        yield f"statistics differ from {MANIFEST}: the file was changed, or the manifest edited"
    yield from _shard_problems(shard, found.content_hash)
    if (shard.attributes["split"], found.first_row) != (split, record.first_row):
        holds = f"{shard.attributes['split']} from {found.first_row}"
        yield f"holds rows of {holds}, expected rows of {split} from {record.first_row}"
    if shard.attributes["config_hash"] != json_hash(_without_sizes(manifest.config)):
        yield "comes from another config than the dataset's"
    if list(shard.components) != manifest.components:
        yield f"components are {', '.join(shard.components)}, expected {', '.join(manifest.components)}"


def _shard_problems(shard: Shard, content: str) -> Iterator[str]:
    """How a shard, whose content has this hash, contradicts itself."""
    if content != shard.attributes["content_hash"]:
        yield "content hash differs from the one it states: numbers were changed"
    yield from _config_problems(shard)
    if shard.origin and len(shard.origin) < len(OPTIONAL_VARIABLES):
        yield f"has only {', '.join(shard.origin)} of {', '.join(OPTIONAL_VARIABLES)}"
    first = int(shard.attributes["first_row"])
    if not np.array_equal(shard.trajectory, np.arange(len(shard.trajectory)) + first):
        yield f"trajectory does not count from first_row {first}"
    sound = shard.status == Status.OK
    if not np.isfinite(shard.state[sound]).all():
        yield "rows whose status is ok hold values that are not finite"
    if not np.isnan(shard.state[~sound]).all():
        yield "rows whose status is not ok hold values; expected NaN"
    if not np.isin(shard.status, list(Status)).all():
        yield "status has values without a meaning"


def _config_problems(shard: Shard) -> Iterator[str]:
    """How a shard's numbers and attributes contradict the config that it carries."""
    try:
        config = json.loads(str(shard.attributes["config"]))
        grid, seed = config["grid"], config["dataset"]["seed"]
        on_grid, first = is_grid(shard.time, grid), initial_time(grid)
        system = json.loads(str(shard.attributes["system"]))
        hashed = json_hash(config)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        yield "attribute config or system holds no config or system"
        return
    if hashed != shard.attributes["config_hash"]:
        yield "config and config_hash do not agree: edited"
    if not on_grid:
        yield "the time grid is not the config's"
    elif first == shard.time[0]:
        yield from _start_problems(shard)
    elif not first < shard.time[0]:
        yield f"the grid begins at {shard.time[0]:g}, before the initial states at {first:g}"
    if system != config.get("system"):
        yield "the system is not the config's: other equations or parameters"
    elif list(shard.components) != system.get("states", list(shard.components)):
        yield f"components are {', '.join(shard.components)}, those of the system are not"
    if seed != shard.attributes["seed"]:
        yield f"the seed is {shard.attributes['seed']}, the config's is {seed}"
    if shard.attributes["resampling"] != grid.get("resample"):
        yield f"the resampling is {shard.attributes['resampling']!r}, the config's is {grid.get('resample')!r}"


def _start_problems(shard: Shard) -> Iterator[str]:
    """Of a grid that begins with the initial states."""
    sound = shard.status == Status.OK
    with np.errstate(over="ignore"):
        starts = shard.initial_state.astype(shard.state.dtype)
    if not np.array_equal(shard.state[sound, 0], starts[sound]):
        yield "states at the first time are not the initial states"


def _without_sizes(config: dict[str, Any]) -> dict[str, Any]:
    dataset = {key: value for key, value in config.get("dataset", {}).items() if key not in SPLITS}
    return {**config, "dataset": dataset}
