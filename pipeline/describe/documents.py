"""The documents beside the numbers: written with the manifest, from it and from what the first shard says."""

from pathlib import Path

from ...data.folder.manifest import Manifest
from ...data.integrity.shared_rows import shared_rows_note, shared_rows_of
from ...data.shard.shard import read_attributes
from ...data.shard.structure import json_attribute, open_shard, row_variables
from . import card, croissant

# How a card begins, also one of before it began with YAML.
CARDS = (card.MARKER, "<!-- Written by trajstore.")
# Bytes at the beginning of a croissant.json that hold its marker.
HEAD = 4096


def save_dataset(folder: Path, manifest: Manifest) -> str:
    """Write README.md, croissant.json, SHA256SUMS and, last, the manifest of a dataset whose shards are there.

    Returns which splits share rows, in a line, "" where none do; the card says it, too.

    What is already there and right is left alone. Raises FormatError if the first shard cannot be read.
    """
    engine, software, variables = {}, {}, {}
    if manifest.shards:
        path = folder / manifest.shards[0].file
        with open_shard(path) as file:
            attributes, variables = read_attributes(file), row_variables(file)
        engine, software = (json_attribute(attributes, name, path) for name in ("engine", "software"))
    shared = shared_rows_note(manifest, lambda record: shared_rows_of(folder / record.file))
    documents = {
        "README.md": card.data_card(manifest, engine, software, shared, variables),
        "croissant.json": croissant.croissant(manifest, software, variables),
    }
    manifest.save(folder, documents)
    return shared


def is_ours(path: Path) -> bool:
    """Did trajstore write this document?"""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(HEAD).decode(errors="replace")
    return head.startswith(CARDS) if path.name == "README.md" else croissant.MARKER in head
