"""The documents beside the numbers: written with the manifest, from it and from what the first shard says."""

from pathlib import Path

from ...data.folder.manifest import Manifest
from ...data.integrity.shared_rows import shared_rows_note, shared_rows_of
from ...data.shard.shard import read_attributes
from ...data.shard.structure import json_attribute, open_shard
from . import card, croissant

MARKERS = {"README.md": card.MARKER, "croissant.json": croissant.MARKER}
# Bytes at a file's beginning that hold the marker.
HEAD = 4096


def save_dataset(folder: Path, manifest: Manifest) -> str:
    """Write README.md, croissant.json, SHA256SUMS and, last, the manifest of a dataset whose shards are there.

    Returns which splits share rows, in a line, "" where none do; the card says it, too.

    What is already there and right is left alone. Raises FormatError if the first shard cannot be read.
    """
    engine, software = {}, {}
    if manifest.shards:
        path = folder / manifest.shards[0].file
        with open_shard(path) as file:
            attributes = read_attributes(file)
        engine, software = (json_attribute(attributes, name, path) for name in ("engine", "software"))
    shared = shared_rows_note(manifest, lambda record: shared_rows_of(folder / record.file))
    documents = {
        "README.md": card.data_card(manifest, engine, software, shared),
        "croissant.json": croissant.croissant(manifest, software),
    }
    manifest.save(folder, documents)
    return shared


def is_ours(path: Path) -> bool:
    """Did trajstore write this document?"""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return MARKERS[path.name].encode() in file.read(HEAD)
