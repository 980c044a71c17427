"""Is a dataset whole, unchanged and true to itself? Every departure is a line."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ..base.errors import AGAIN, DataError, FormatError
from ..base.files import LOCK
from ..base.findings import Finding, Findings
from ..base.hashing import json_hash
from ..folder.bystanders import REMARK, is_bystander
from ..folder.documents import document_hashes, document_problem
from ..folder.manifest import Manifest, SplitRecord
from ..folder.manifest_reading import REPAIR, load_manifest
from ..folder.names import CHECKSUMS, DOCUMENTS, MANIFEST
from ..folder.remote_folder import bring_documents, dataset_path
from ..remote.address import NotThereError
from ..remote.mirrors import bring
from ..remote.opening import is_here
from ..shard.limits import read_text_file
from ..shard.schema import without_sizes
from ..shard.shard import ShardRecord
from .child_reader import shard_reader
from .reader import Reader
from .readers import Readers
from .shared_rows import shared_rows_note


def verify(
    path: str | Path,
    report: Callable[[int], None] | None = None,
    isolated: bool = False,
    shards: slice | None = None,
) -> list[Finding]:
    """The problems that `examine` finds, without its notes; an empty list for a sound dataset.

    Args and errors are those of `examine`. Each problem is a line that can be printed.
    """
    return examine(path, report, isolated, shards).problems


def examine(
    path: str | Path,
    report: Callable[[int], None] | None = None,
    isolated: bool = False,
    shards: slice | None = None,
) -> Findings:
    """Read a dataset or a shard, compute every hash anew, and say what is wrong with it.

    Args:
        path: A dataset folder, or one shard; or the address of one, whose files then come into the cache.
        report: Called with the number of shards that have been read so far.
        isolated: Whether to read shards in a child process, so that one that crashes or hangs the HDF5 library is
            a problem like any other.
        shards: Which of the manifest's shards are read, in its order; None reads all. The manifest itself,
            SHA256SUMS and the documents are checked in any case.

    Returns:
        Its problems, none for a sound dataset, and notes on what a reader should know besides.

    Raises:
        FormatError: The path is no dataset at all.
        DataError: `shards` names none of its shards.
    """
    path = dataset_path(path)
    bring_documents(path)
    if path.is_file():
        if shards is not None:
            raise DataError(f"{path}: is one shard; only of a dataset's folder can some shards be chosen")
        with shard_reader(isolated) as reader:
            return Findings([Finding(path.name, text) for text in reader.problems(path)])
    manifest = load_manifest(path)
    chosen = choose_shards(path, manifest, shards)
    with Readers(isolated, chosen) as readers:
        problems = list(_manifest_problems(path, manifest))
        config_hash = json_hash(without_sizes(manifest.config))
        found = readers.map(partial(_shard_problems, path, manifest, config_hash), chosen)
        for done, (record, texts) in enumerate(zip(chosen, found, strict=True), 1):
            problems += [Finding(record.file, text) for text in texts]
            if report is not None:
                report(done)
        return Findings(
            problems, [*_notes(path, manifest, chosen, readers.one, problems), *_bystanders(path)]
        )


def _shard_problems(
    folder: Path, manifest: Manifest, config_hash: str, reader: Reader, record: ShardRecord
) -> list[str]:
    file, (split, _) = folder / record.file, manifest.places[record.file]
    try:
        bring(file, again=True)
        return reader.recorded_problems(file, split, record, manifest.components, config_hash)
    except NotThereError:
        return [f"missing. {AGAIN}"]
    except FormatError as error:
        return list(_unreadable(file, record, error))


def _notes(
    path: Path,
    manifest: Manifest,
    chosen: list[ShardRecord],
    reader: Reader,
    problems: list[Finding],
) -> list[Finding]:
    """What a reader should know besides: which splits share rows, as far as the sound ones of these shards tell."""
    unsound = {problem.file for problem in problems}
    sound = [record for record in chosen if record.file not in unsound]

    note = shared_rows_note(manifest, lambda record: reader.rows(path / record.file), sound)
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


def _unreadable(path: Path, record: ShardRecord, error: FormatError) -> Iterator[str]:
    try:
        size = path.lstat().st_size if is_here(path) else record.bytes
    except FileNotFoundError:
        yield f"missing. {AGAIN}"
        return
    if size != record.bytes and not path.is_symlink():
        yield f"{size} bytes, expected {record.bytes}: truncated or replaced"
    yield error.text


def _manifest_problems(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    if (folder / MANIFEST).read_text(encoding="utf-8") != manifest.to_json():
        yield Finding(MANIFEST, "is not as trajstore wrote it: edited, or written by another version")
    for text in contradictions(manifest):
        yield Finding(MANIFEST, text)
    try:
        text = read_text_file(folder / CHECKSUMS)
    except FileNotFoundError:
        yield Finding(CHECKSUMS, f"missing. {REPAIR}")
    except FormatError as error:
        yield Finding(CHECKSUMS, error.text)
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
        yield Finding(CHECKSUMS, f"differs from the hashes in {MANIFEST}. {REPAIR}")
    found = document_hashes(folder)
    for name in DOCUMENTS:
        if document_problem(folder / name):
            continue
        if name in listed and name not in found:
            yield Finding(name, f"missing. {AGAIN}")
        elif name in found and name not in listed:
            yield Finding(name, f"no part of this dataset: {CHECKSUMS} does not list it")
        elif listed.get(name) != found.get(name):
            yield Finding(name, f"differs from {CHECKSUMS}: edited. {AGAIN}")
