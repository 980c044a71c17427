"""`trajstore fetch`: a dataset from a web server or a folder; it is there when its manifest is, and not before."""

import re
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import perf_counter

from rich.console import Console

from ....data.base.errors import FormatError, TrajstoreError
from ....data.base.files import LOCK, remove_leftovers, sync
from ....data.base.findings import Finding, Findings
from ....data.base.hashing import file_hash, is_right
from ....data.folder.documents import document_problem
from ....data.folder.manifest import Manifest
from ....data.folder.manifest_parts import PartRecord
from ....data.folder.manifest_reading import load_if_present, parse_manifest
from ....data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST, is_part, parts_in
from ....data.integrity.verify import contradictions, examine
from ....data.remote.address import NotThereError
from ....data.shard.limits import MAX_TEXT_FILE_BYTES
from ...describe.documents import is_ours
from ...runtime.bars import Bars
from ...runtime.lock import locked
from .download import read_bytes
from .origin import Connection, Origin
from .transfer import WORK, Transfer, partial

SHORTEST_ID = 8
DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Fetched:
    """What `fetch` did: shards fetched and there already, bytes that came, seconds, and what `verify` says of it.

    `replaced` are the other files that were there, and were not as they should be.
    """

    manifest: Manifest
    fetched: int
    kept: int
    bytes: int
    seconds: float
    problems: list[Finding]
    notes: list[Finding] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)


def fetch(
    url: str | Path,
    folder: str | Path,
    *,
    identity: str | None = None,
    jobs: int = 4,
    overwrite: bool = False,
    console: Console | None = None,
) -> Fetched:
    """Bring a dataset into a folder, or what is missing of it.

    Files that came, whole or in part, are kept: the same call goes on from there.

    Args:
        url: Where it lies: http, https, file, `hf://ORG/NAME[@REVISION]`, `doi:10.5281/zenodo.N`, or a path.
        folder: Where it is to lie.
        identity: The id that the dataset must have, or at least 8 digits that it begins with.
        jobs: How many files are fetched at once.
        overwrite: Whether to throw away another dataset that the folder holds.
        console: Where progress is shown; None shows none.

    Returns:
        The manifest, how many shards came or were there, bytes and seconds, and what `examine` finds.

    Raises:
        TrajstoreError: What is there is no sound dataset, the connection fails for good, or the folder holds
            anything else.
    """
    begin = perf_counter()
    origin, folder = Origin(str(url)), Path(folder)
    with closing(origin.connect()) as connection:
        manifest = _read_manifest(origin, connection, identity, folder)
        listed = _read_checksums(origin, connection, manifest)
        with locked(folder):
            try:
                transfer = Transfer(origin, folder, manifest)
                stale = _check_folder(folder, manifest, listed, overwrite)
                _check_space(folder, manifest)
                _prepare(folder, manifest)
                transfer.run(jobs, console)
                documents = _read_documents(origin, connection, folder, listed)
                transfer.retire_other_manifest()
                replaced = _complete(folder, manifest, documents, stale)
                found = _examine(folder, manifest, console)
            except OSError as error:
                raise TrajstoreError(
                    f"{error.filename or folder}: {error.strerror or error}. What was fetched is kept: mend the "
                    "cause and run the same command again to go on."
                ) from None
    seconds = perf_counter() - begin
    counts = transfer.fetched, transfer.kept, transfer.transferred
    return Fetched(manifest, *counts, seconds, found.problems, found.notes, replaced)


def _read_manifest(origin: Origin, connection: Connection, identity: str | None, folder: Path) -> Manifest:
    """The server's manifest, once everything that can be told without the shards is known to be right."""
    if identity is not None and not re.fullmatch(f"[0-9a-f]{{{SHORTEST_ID},64}}", identity.lower()):
        raise TrajstoreError(f"--id {identity}: expected {SHORTEST_ID} to 64 hexadecimal digits")
    where = origin.shown(MANIFEST)
    text = _text(read_bytes(origin, connection, MANIFEST, MAX_TEXT_FILE_BYTES), where)
    if text.lstrip()[:1] == "<":
        raise FormatError(f"{where}: an HTML page, expected the manifest of a dataset; is the address right?")
    manifest = parse_manifest(text, where, lambda entry: _read_part(origin, connection, folder, entry))
    if identity is not None and not manifest.id.startswith(identity.lower()):
        raise TrajstoreError(f"{where}: the dataset has the id {manifest.id:.64}, expected {identity}")
    problems = [
        *([] if text == manifest.to_json() else ["is not as trajstore wrote it: edited"]),
        *contradictions(manifest),
    ]
    if problems:
        raise FormatError(f"{where}: {problems[0]}; ask who shares it")
    return manifest


def _read_part(origin: Origin, connection: Connection, folder: Path, entry: PartRecord) -> tuple[bytes, str]:
    """The bytes of a part of the manifest, from what was fetched before if they are right, and where they lie."""
    for path in (folder / entry.file, folder / WORK / entry.file):
        if is_right(path, entry.sha256, entry.bytes):
            return path.read_bytes(), str(path)
    return read_bytes(origin, connection, entry.file, entry.bytes), origin.shown(entry.file)


def _read_checksums(origin: Origin, connection: Connection, manifest: Manifest) -> dict[str, str]:
    """SHA-256 of the documents, by name, that the server's SHA256SUMS lists."""
    where = origin.shown(CHECKSUMS)
    try:
        text = _text(read_bytes(origin, connection, CHECKSUMS, MAX_TEXT_FILE_BYTES), where)
    except NotThereError:
        return {}
    lines = [line.partition("  ") for line in text.splitlines()]
    listed = {name: digest for digest, _, name in lines if name in DOCUMENTS and DIGEST.fullmatch(digest)}
    if text != manifest.checksums(listed):
        got = "an HTML page" if text.lstrip()[:1] == "<" else "other lines"
        raise FormatError(
            f"{where}: {got}, expected the hashes that {MANIFEST} has; the dataset was changed since it was made, or "
            "is being changed: ask who shares it"
        )
    return listed


def _read_documents(
    origin: Origin, connection: Connection, folder: Path, listed: Mapping[str, str]
) -> dict[str, str]:
    """Those of the listed documents that the folder does not have yet."""
    documents = {}
    for name, digest in listed.items():
        if is_right(folder / name, digest):
            continue
        where = origin.shown(name)
        read = read_bytes(origin, connection, name, MAX_TEXT_FILE_BYTES)
        if sha256(read).hexdigest() != digest:
            raise FormatError(f"{where}: is not the file that {CHECKSUMS} lists; ask who shares it")
        documents[name] = _text(read, where)
    return documents


def _complete(folder: Path, manifest: Manifest, documents: dict[str, str], stale: list[Path]) -> list[str]:
    """Where all shards are there, write the rest, the manifest last; what of it was there before and was another."""
    before = _sums_of_texts(folder)
    for path in stale:
        path.unlink()
    remove_leftovers(folder, is_part)
    shutil.rmtree(folder / WORK)
    manifest.save(folder, documents)
    sync(folder)
    after = _sums_of_texts(folder)
    return [name for name, digest in before.items() if name in after and digest != after[name]]


def _sums_of_texts(folder: Path) -> dict[str, str]:
    """SHA-256 of the documents and of SHA256SUMS, as far as they are there and may be read."""
    paths = [folder / name for name in (*DOCUMENTS, CHECKSUMS)]
    return {path.name: file_hash(path) for path in paths if path.exists() and not document_problem(path)}


def _text(read: bytes, where: str) -> str:
    try:
        return read.decode()
    except UnicodeDecodeError:
        raise FormatError(f"{where}: no text in UTF-8, but {len(read):,} bytes of something else") from None


def _check_folder(folder: Path, manifest: Manifest, listed: Mapping[str, str], overwrite: bool) -> list[Path]:
    """Refuse a folder that holds something else; the parts of another dataset that are to be thrown away."""
    own = [*manifest.all_parts, *manifest.shards]
    wanted = {**listed, **{record.file: record.sha256 for record in own}}
    found = load_if_present(folder) or load_if_present(folder / WORK)
    same = found is not None and found.id == manifest.id

    def may_be_replaced(path: Path) -> bool:
        return same or is_ours(path) or is_right(path, wanted.get(path.name, ""))

    whole = [path for path in parts_in(folder, may_be_replaced, (LOCK, WORK)) if is_part(path.name)]
    stale = [path for path in whole if path.name not in wanted and path.name not in (MANIFEST, CHECKSUMS)]
    reason = f"{stale[0].name}, which is no part of this dataset" if stale else None
    if found is None:
        # Left by a copy, a generation or a fetch that was interrupted: of this dataset, or of which?
        wrong = [path for path in whole if path.name in wanted and not is_right(path, wanted[path.name])]
        reason = f"another {wrong[0].name} than this dataset's" if wrong else reason
    elif not same:
        reason = f"another dataset, with the id {found.id[:12]}; this one has {manifest.id[:12]}"
    if reason and not overwrite:
        raise TrajstoreError(
            f"{folder}: holds {reason}; choose another folder, or throw that away with --overwrite"
        )
    return stale


def _check_space(folder: Path, manifest: Manifest) -> None:
    """Refuse what the disk cannot hold, before it is full."""
    needed = 0
    for record in manifest.shards:
        sizes = [
            path.stat().st_size for path in (folder / record.file, partial(folder, record)) if path.is_file()
        ]
        needed += record.bytes - min(max(sizes, default=0), record.bytes)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise TrajstoreError(
            f"{folder}: {needed / 1e6:,.1f} MB are missing, the disk has {free / 1e6:,.1f} MB left; make room or "
            "choose another folder"
        )


def _prepare(folder: Path, manifest: Manifest) -> None:
    """A folder for partial files: those that fit this manifest stay."""
    work = folder / WORK
    work.mkdir(exist_ok=True)
    names = {name for record in manifest.shards for name in (record.file, partial(folder, record).name)}
    names |= {entry.file for entry in manifest.all_parts}
    for path in work.iterdir():
        if path.name not in names:
            path.unlink()
    manifest.write(work)


def _examine(folder: Path, manifest: Manifest, console: Console | None) -> Findings:
    with Bars("shards", console=console or Console(quiet=True, stderr=True)) as bar:
        task = bar.add_task("check", total=len(manifest.shards))
        return examine(folder, lambda done: bar.update(task, completed=done), isolated=True)
