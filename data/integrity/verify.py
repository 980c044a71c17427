"""Is a dataset whole, unchanged and true to itself? Every departure is a line."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..base.errors import DataError, FormatError
from ..base.files import LOCK
from ..base.findings import Finding, Findings
from ..base.hashing import content_hash, json_hash
from ..folder.bystanders import REMARK, is_bystander
from ..folder.manifest import (
    CHECKSUMS,
    DOCUMENTS,
    MANIFEST,
    Manifest,
    SplitRecord,
    document_hashes,
    document_problem,
    load_manifest,
)
from ..folder.stated_grid import diagnosed, increases, initial_time, is_grid
from ..folder.stated_observation import observed
from ..shard.limits import read_text_file
from ..shard.schema import (
    CLEAN_STATE,
    DELAY_KIND,
    DELAYED,
    DIAGNOSTICS,
    ENERGY_DRIFT,
    ORIGIN,
    SYSTEM_STATE,
    Status,
    mentions_delay,
    without_sizes,
)
from ..shard.shard import Shard, ShardRecord, read_shard, record_of
from .child_reader import IsolatedReader
from .shared_rows import SharedRows, shared_rows_note, shared_rows_of

# What the manifest keeps of a shard, beside its name and first row.
RECORDED = {
    "rows": "number of rows",
    "failed": "number of failed rows",
    "bytes": "size",
    "sha256": "SHA-256",
    "content_hash": "content hash",
}


def verify(
    path: str | Path,
    report: Callable[[int], None] | None = None,
    isolated: bool = False,
    shards: slice | None = None,
) -> list[Finding]:
    """All problems of a dataset folder or of one shard, a printable line each; none for a sound one.

    As `examine`, without the notes.
    """
    return examine(path, report, isolated, shards).problems


def examine(
    path: str | Path,
    report: Callable[[int], None] | None = None,
    isolated: bool = False,
    shards: slice | None = None,
) -> Findings:
    """What is wrong with a dataset folder or with one shard, and what a reader of it should know besides.

    report    called with the number of shards read so far
    isolated  True reads shards in a child process, so that one that crashes or hangs the HDF5 library is a problem
              like any other
    shards    which of the manifest's shards are read, in its order; None reads all. The manifest itself, SHA256SUMS
              and the documents are checked in any case

    Everything is read and every hash computed anew. Raises FormatError if the path is no dataset at all, DataError if
    `shards` names none of its shards.
    """
    path = Path(path)
    with IsolatedReader() as reader:
        if path.is_file():
            if shards is not None:
                raise DataError(f"{path}: is one shard; only of a dataset's folder can some shards be chosen")
            texts = reader("problems", path) if isolated else file_problems(path)
            return Findings([Finding(path.name, text) for text in texts])
        manifest = load_manifest(path)
        chosen = choose_shards(path, manifest, shards)
        problems = list(_manifest_problems(path, manifest))
        for done, record in enumerate(chosen, 1):
            try:
                texts = (
                    reader("recorded problems", path / record.file)
                    if isolated
                    else recorded_problems(path, manifest, record.file)
                )
            except FormatError as error:
                texts = _unreadable(path / record.file, record, error)
            problems += [Finding(record.file, text) for text in texts]
            if report is not None:
                report(done)
        return Findings(
            problems,
            [*_notes(path, manifest, chosen, reader if isolated else None, problems), *_bystanders(path)],
        )


def notes_of(folder: Path, problems: list[Finding], *, isolated: bool = False) -> list[Finding]:
    """The notes that `examine` gives of a dataset folder whose problems are known."""
    manifest = load_manifest(folder)
    with IsolatedReader() as reader:
        given = reader if isolated else None
        return [*_notes(folder, manifest, list(manifest.shards), given, problems), *_bystanders(folder)]


def _notes(
    path: Path,
    manifest: Manifest,
    chosen: list[ShardRecord],
    reader: IsolatedReader | None,
    problems: list[Finding],
) -> list[Finding]:
    """What a reader should know besides: which splits share rows, as far as the sound ones of these shards tell."""
    unsound = {problem.file for problem in problems}
    sound = [record for record in chosen if record.file not in unsound]

    def read(record: ShardRecord) -> SharedRows:
        file = path / record.file
        return SharedRows.from_dict(reader("rows", file)) if reader else shared_rows_of(file)

    note = shared_rows_note(manifest, read, sound)
    return [Finding(MANIFEST, note)] if note else []


def _bystanders(folder: Path) -> list[Finding]:
    return [Finding(name, REMARK) for name in _names(folder) if is_bystander(name)]


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def choose_shards(path: Path, manifest: Manifest, shards: slice | None) -> list[ShardRecord]:
    """These of a manifest's shards, or all. Raises DataError if there is none of them."""
    if shards is None:
        return manifest.shards
    chosen = manifest.shards[shards]
    if not chosen:
        asked = f"{'' if shards.start is None else shards.start}:{'' if shards.stop is None else shards.stop}"
        raise DataError(f"{path}: no shards {asked}; it has {len(manifest.shards):,}, numbered from 0")
    return chosen


def file_problems(path: Path) -> list[str]:
    """What is wrong with one shard by itself, as texts. Raises FormatError if it is none."""
    shard = read_shard(path)
    return list(_shard_problems(shard, content_hash(shard.variables)))


def recorded_problems(folder: Path, manifest: Manifest, file: str) -> list[str]:
    """What is wrong with a shard that the manifest lists, as texts. Raises FormatError if it cannot be read."""
    split, record = manifest.places[file]
    return list(_recorded_shard_problems(folder, manifest, split, record))


def _unreadable(path: Path, record: ShardRecord, error: FormatError) -> Iterator[str]:
    try:
        size = path.lstat().st_size
    except FileNotFoundError:
        yield "missing"
        return
    if size != record.bytes and not path.is_symlink():
        yield f"{size} bytes, expected {record.bytes}: truncated or replaced"
    yield str(error).removeprefix(f"{path}: ")


def _manifest_problems(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    if (folder / MANIFEST).read_text(encoding="utf-8") != manifest.to_json():
        yield Finding(MANIFEST, "is not as trajstore wrote it: edited, or written by another version")
    for text in contradictions(manifest):
        yield Finding(MANIFEST, text)
    try:
        text = read_text_file(folder / CHECKSUMS)
    except FileNotFoundError:
        yield Finding(CHECKSUMS, "missing")
    except FormatError as error:
        yield Finding(CHECKSUMS, str(error).removeprefix(f"{folder / CHECKSUMS}: "))
    except ValueError:
        yield Finding(CHECKSUMS, "is no text")
    else:
        yield from _checksum_problems(folder, text, manifest)
    parts = {entry.file for entry in manifest.all_parts}
    known = {MANIFEST, CHECKSUMS, LOCK, *DOCUMENTS, *parts, *manifest.places}
    for name in _names(folder):
        if name not in known and not is_bystander(name):
            yield Finding(name, "no part of this dataset")
        if name in DOCUMENTS and (problem := document_problem(folder / name)):
            yield Finding(name, problem)


def contradictions(manifest: Manifest) -> Iterator[str]:
    """How a manifest contradicts itself, as texts."""
    splits = {name: split.shards for name, split in manifest.splits.items()}
    derived = Manifest.of(manifest.config, manifest.config.get("system", {}), manifest.components, splits)
    for key in ("id", "config_hash", "system"):
        if getattr(derived, key) != getattr(manifest, key):
            yield f"{key} does not follow from config and contents: edited"
    for name, split in manifest.splits.items():
        sums = SplitRecord.of(split.shards)
        counts = (sums.trajectories, sums.failed) == (split.trajectories, split.failed)
        if not (counts and sums.statistics.agrees(split.statistics)):
            yield f"counts or statistics of {name} do not follow from its shards: edited"
        expected = manifest.config.get("dataset", {}).get(name)
        if expected != split.trajectories:
            yield f"{name} has {split.trajectories} trajectories, its config says {expected}"


def _checksum_problems(folder: Path, text: str, manifest: Manifest) -> Iterator[Finding]:
    """How SHA256SUMS departs from the manifest, and the documents, which it alone vouches for, from it."""
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in text.splitlines())}
    listed = {name: sums[name] for name in DOCUMENTS if name in sums}
    if text != manifest.checksums(listed):
        yield Finding(CHECKSUMS, f"differs from the hashes in {MANIFEST}")
    found = document_hashes(folder)
    for name in DOCUMENTS:
        if document_problem(folder / name):
            continue
        if name in listed and name not in found:
            yield Finding(name, "missing")
        elif name in found and name not in listed:
            yield Finding(name, f"no part of this dataset: {CHECKSUMS} does not list it")
        elif listed.get(name) != found.get(name):
            yield Finding(name, f"differs from {CHECKSUMS}: edited")


def _recorded_shard_problems(
    folder: Path, manifest: Manifest, split: str, record: ShardRecord
) -> Iterator[str]:
    path = folder / record.file
    shard = read_shard(path)
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
    if shard.attributes["config_hash"] != json_hash(without_sizes(manifest.config)):
        yield "comes from another config than the dataset's"
    if list(shard.components) != manifest.components:
        yield f"components are {', '.join(shard.components)}, expected {', '.join(manifest.components)}"


def _shard_problems(shard: Shard, content: str) -> Iterator[str]:
    """How a shard, whose content has this hash, contradicts itself."""
    if content != shard.attributes["content_hash"]:
        yield "content hash differs from the one it states: numbers were changed"
    yield from _config_problems(shard)
    told = [name for name in ORIGIN if name in shard.optional]
    if told and len(told) < len(ORIGIN):
        yield f"has only {', '.join(told)} of {', '.join(ORIGIN)}"
    first = int(shard.attributes["first_row"])
    if not np.array_equal(shard.trajectory, np.arange(len(shard.trajectory)) + first):
        yield f"trajectory does not count from first_row {first}"
    if not increases(shard.time):
        yield "the times do not increase"
    sound = shard.status == Status.OK
    for name, values in shard.over_time.items():
        where = "" if name == "state" else f"{name}: "
        if not np.isfinite(values[sound]).all():
            yield f"{where}rows whose status is ok hold values that are not finite"
        if not np.isnan(values[~sound]).all():
            yield f"{where}rows whose status is not ok hold values; expected NaN"
    yield from _diagnostic_problems(shard, sound)
    if not np.isin(shard.status, list(Status)).all():
        yield "status has values without a meaning"


def _diagnostic_problems(shard: Shard, sound: np.ndarray) -> Iterator[str]:
    """Whether a diagnostic is a number in sound rows, and NaN in others; which number, nobody knows here."""
    for name in DIAGNOSTICS:
        values = shard.optional.get(name)
        if values is None:
            continue
        # A drift is infinite where the energy was 0 at the start.
        right, expected = (
            (values >= 0, "expected numbers of 0 or above")
            if name == ENERGY_DRIFT
            else (np.isfinite(values), "expected finite numbers")
        )
        if not right[sound].all():
            row = int(np.flatnonzero(sound & ~right)[0])
            yield f"{name}: row {shard.trajectory[row]}, whose status is ok, holds {values[row]:g}; {expected}"
        if not np.isnan(values[~sound]).all():
            yield f"{name}: rows whose status is not ok hold values; expected NaN"


def _config_problems(shard: Shard) -> Iterator[str]:
    """How a shard's numbers and attributes contradict the config that it carries."""
    try:
        config = json.loads(str(shard.attributes["config"]))
        grid, dataset = config["grid"], config["dataset"]
        seed, dtype = dataset["seed"], dataset["dtype"]
        on_grid, first = is_grid(shard.time, grid), initial_time(grid)
        system = json.loads(str(shard.attributes["system"]))
        hashed = json_hash(config)
        if not isinstance(system, dict) or not isinstance(system.get("kind", ""), str):
            raise TypeError
        seen = observed(config)
        if set(seen.kept) & set(DIAGNOSTICS):
            diagnosed(grid)
    except FormatError as error:
        yield f"its config is none that trajstore writes: {error}"
        return
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, AttributeError):
        yield "attribute config or system holds no config or system"
        return
    states = list(shard.components) if seen.states is None else seen.states
    equations = system.get("equations")
    if (system.get("kind") == DELAY_KIND) != (isinstance(equations, dict) and mentions_delay(equations)):
        yield f'the kind of the system is "{DELAY_KIND}" and no equation calls {DELAYED}, or the reverse'
    if hashed != shard.attributes["config_hash"]:
        yield "config and config_hash do not agree: edited"
    if not on_grid:
        yield "the time grid is not the config's"
    elif first == shard.time[0]:
        yield from _start_problems(shard, seen.noise is not None)
    elif not first < shard.time[0]:
        yield f"the grid begins at {shard.time[0]:g}, before the initial states at {first:g}"
    if system != config.get("system"):
        yield "the system is not the config's: other equations or parameters"
    elif list(shard.components) != (seen.components or states):
        yield f"components are {', '.join(shard.components)}, those of the system are not"
    elif list(shard.system_states) != (states if seen.components else []):
        yield f"{SYSTEM_STATE} does not name the states of the system, of which some are observed"
    if (found := set(shard.optional) - set(ORIGIN)) != set(seen.kept):
        yield f"holds {', '.join(sorted(found)) or 'no'} variables beside the states, its config asks for others"
    for name, values in shard.over_time.items():
        if values.dtype.name != dtype:
            what = "the states are" if name == "state" else f"{name} is"
            yield f"{what} {values.dtype.name}, the config says {dtype!s:.80}"
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        yield f"the seed is {seed!r:.80}, expected an integer from 0 to 2**63 - 1"
    elif seed != shard.attributes["seed"]:
        yield f"the seed is {shard.attributes['seed']}, the config's is {seed}"
    if shard.attributes["resampling"] != grid.get("resample"):
        yield f"the resampling is {shard.attributes['resampling']!r}, the config's is {grid.get('resample')!r}"


def _start_problems(shard: Shard, noise: bool) -> Iterator[str]:
    """Of a grid that begins with the initial states; nothing can be said of noise alone."""
    clean = shard.optional.get(CLEAN_STATE) if noise else shard.state
    if clean is None:
        return
    sound = shard.status == Status.OK
    names = shard.system_states or shard.components
    columns = [names.index(name) for name in shard.components if name in names]
    with np.errstate(over="ignore"):
        starts = shard.initial_state[:, columns].astype(clean.dtype)
    if not np.array_equal(clean[sound, 0], starts[sound]):
        yield "states at the first time are not the initial states"
