"""A dataset's folder by its address: its manifest comes into the cache, and stands there for the files elsewhere."""

import os
import re
from hashlib import sha256
from pathlib import Path
from urllib.request import url2pathname

from ..base.errors import FormatError, TrajstoreError
from ..base.files import write_text
from ..base.hashing import is_right
from ..remote.address import NotThereError, hide, meant, scheme_of
from ..remote.hub import address_of_page, hub_place
from ..remote.mirrors import Expected, Mirror, bring, mirror_of, register
from ..remote.places import Place
from ..shard.limits import MAX_TEXT_FILE_BYTES
from .manifest import Manifest
from .manifest_parts import PartRecord
from .manifest_reading import parse_manifest
from .names import CHECKSUMS, DOCUMENTS, MANIFEST, is_shard

CACHE = "TRAJSTORE_CACHE"


def cache_folder() -> Path:
    """Where files that lie elsewhere are kept: TRAJSTORE_CACHE, or what the system has for that."""
    chosen = os.environ.get(CACHE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("trajstore"))


def dataset_path(path: str | Path) -> Path:
    """The path of a dataset's folder, or of one shard; of an address that of the folder which stands for it here.

    `https://` and the like come with their manifest, `hf://ORG/NAME[@REVISION]`, or a page of it on the Hub, as the
    commit that it is now. Shards are read from there by ranges. The address of one shard brings that one whole, as
    the manifest beside it says.

    Raises FormatError or TrajstoreError if there is no dataset, or it cannot be had.
    """
    if isinstance(path, str):
        path = address_of_page(path)
    scheme = scheme_of(path)
    if scheme is None:
        return Path(path)
    if scheme == "file":
        return Path(url2pathname(re.sub("^file://(localhost)?", "", str(path), flags=re.IGNORECASE)))
    url = str(path).removesuffix("/")
    base, _, last = url.partition("?")[0].rpartition("/")
    if last == MANIFEST or is_shard(last):
        url = url.replace(f"{base}/{last}", base, 1)
    folder = _mirrored(_place(url, scheme))
    return bring(folder / last) if is_shard(last) else folder


def bring_documents(folder: Path) -> None:
    """SHA256SUMS and the documents of a folder that stands for another, as they are there now."""
    mirror = mirror_of(folder)
    if mirror is None:
        return
    for name in (CHECKSUMS, *DOCUMENTS):
        try:
            write_text(folder / name, _text(mirror.place, name))
        except NotThereError:
            (folder / name).unlink(missing_ok=True)


def _place(url: str, scheme: str) -> Place:
    return hub_place(url) if scheme == "hf" else Place(url)


def _mirrored(place: Place) -> Path:
    """The folder of the cache that stands for a place; it is named by a hash, whatever the manifest says."""
    try:
        text = _text(place, MANIFEST)
    except NotThereError as error:
        raise NotThereError(f"{error}{meant(place.url)}") from None
    where = place.shown(MANIFEST)
    if text.lstrip()[:1] == "<":
        hint = meant(place.url) or "; is the address right?"
        raise FormatError(f"{where}: an HTML page, expected the manifest of a dataset{hint}")
    folder = cache_folder() / sha256(text.encode()).hexdigest()
    manifest = parse_manifest(text, where, lambda entry: _part(place, folder, entry))
    _write(folder, text, manifest)
    files = {
        record.file: Expected(record.bytes, record.sha256, record.content_hash) for record in manifest.shards
    }
    register(Mirror(folder, place, files))
    return folder


def _part(place: Place, folder: Path, entry: PartRecord) -> tuple[bytes, str]:
    """The bytes of a part of the manifest, which the cache may have, and where it lies."""
    path = folder / entry.file
    if is_right(path, entry.sha256, entry.bytes):
        return path.read_bytes(), str(path)
    return place.read(entry.file, 0, entry.bytes, entry.bytes), place.shown(entry.file)


def _write(folder: Path, text: str, manifest: Manifest) -> None:
    """Keep the manifest; one that trajstore did not write as it stands is kept as it came."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest.write(folder)
        if (folder / MANIFEST).read_text(encoding="utf-8") != text:
            write_text(folder / MANIFEST, text)
    except OSError as error:
        raise TrajstoreError(
            f"{folder}: the cache cannot be written ({error.strerror or error}); choose another folder by {CACHE}"
        ) from None


def _text(place: Place, name: str) -> str:
    """A small file of text as a whole. Raises FormatError if it is none."""
    read = place.read(name, 0, MAX_TEXT_FILE_BYTES + 1)
    where = hide(place.shown(name))
    if len(read) > MAX_TEXT_FILE_BYTES:
        raise FormatError(f"{where}: more than {MAX_TEXT_FILE_BYTES:,} bytes; expected a small file")
    try:
        return read.decode()
    except UnicodeDecodeError:
        raise FormatError(f"{where}: no text in UTF-8, but {len(read):,} bytes of something else") from None
