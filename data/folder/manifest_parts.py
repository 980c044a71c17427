"""Records of many shards, in files beside the manifest that never change once they are full.

A manifest of few shards holds all their records. One of more than `10 * part_size` shards is of version 2: of each
split it holds the last records only, of 1 to `part_size` shards, and lists the files that hold those before. A record
that may still change, of a last shard that is not full, is so always in the manifest itself, and no part changes
when a dataset grows.
"""

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Annotated

from pydantic import FailFast, Field, TypeAdapter, ValidationError

from ..base.errors import FormatError
from ..base.hashing import text_hash
from ..base.plain_words import first_mistake
from ..base.section import Record
from ..shard.limits import MAX_MANIFEST_BYTES, MAX_PART_BYTES, MAX_SHARDS
from ..shard.schema import SPLITS
from ..shard.shard import SHA256, ShardRecord

# Records of a part, fewer where each has many components.
MOST = 1000
COMPONENTS = 10_000
PART_NAME = rf"^manifest-({'|'.join(SPLITS)})-[0-9]{{5,9}}\.json$"


class PartRecord(Record):
    """What the manifest keeps of a part: `shards` records, in `bytes` of text."""

    file: str = Field(pattern=PART_NAME)
    shards: int = Field(ge=1, le=MOST)
    bytes: int = Field(ge=1, le=MAX_PART_BYTES)
    sha256: str = Field(pattern=SHA256)


# The first mistake is told, for a stranger's text may hold millions.
_ENTRIES = TypeAdapter(Annotated[list[PartRecord], FailFast()])
_RECORDS = TypeAdapter(Annotated[list[ShardRecord], Field(max_length=MOST), FailFast()])

# Of a model it takes the fields, in their order.
_ENCODER = json.JSONEncoder(default=vars, allow_nan=False)


def part_name(split: str, index: int) -> str:
    """File name of a split's part, `manifest-train-00000.json`."""
    return f"manifest-{split}-{index:05d}.json"


def part_size(components: int) -> int:
    """Records of a full part, of about a megabyte at the most."""
    return max(1, min(MOST, COMPONENTS // max(1, components)))


def needs_parts(shards: int, components: int) -> bool:
    """Do the records of so many shards lie in parts?"""
    return shards > 10 * part_size(components)


def full_parts(records: Sequence[ShardRecord], components: int) -> list[Sequence[ShardRecord]]:
    """The records of a split that lie in parts, part by part; the others are 1 to `part_size`, or none of none."""
    size = part_size(components)
    return [records[start : start + size] for start in range(0, len(records) - size, size)]


def part_text(records: Sequence[ShardRecord]) -> str:
    """The text of a part: a JSON list, a line a record, with the keys that the manifest has."""
    return "[\n" + ",\n".join(_ENCODER.encode(vars(record)) for record in records) + "\n]\n"


def part_record(split: str, index: int, records: Sequence[ShardRecord]) -> PartRecord:
    """What the manifest keeps of the part that holds these records."""
    text = part_text(records)
    name = part_name(split, index)
    return PartRecord(file=name, shards=len(records), bytes=len(text.encode()), sha256=text_hash(text))


def part_entries(split: str, raw: object) -> list[PartRecord]:
    """The parts that a manifest lists, checked. Raises ValidationError, ValueError if they are out of order."""
    entries = _ENTRIES.validate_python(raw)
    for index, entry in enumerate(entries):
        if entry.file != part_name(split, index):
            raise ValueError(
                f"{entry.file} stands in the place of {part_name(split, index)}, or is there twice"
            )
    return entries


def parse_part(entry: PartRecord, content: bytes, where: str) -> list[ShardRecord]:
    """The records that a part, which lies at `where`, holds. Raises FormatError if it is not the listed one."""
    if len(content) != entry.bytes or sha256(content).hexdigest() != entry.sha256:
        raise FormatError(
            f"{where}: is not the file that the manifest lists: changed, cut off, or of another dataset"
        )
    try:
        records = _RECORDS.validate_json(content)
    except ValidationError as error:
        raise FormatError(f"{where}: {first_mistake(error)}") from None
    if len(records) != entry.shards:
        raise FormatError(f"{where}: holds {len(records)} records, the manifest says {entry.shards}")
    return records


def check_size(shards: int, components: int) -> None:
    """Refuse a dataset of more shards than a manifest may list. Raises FormatError."""
    # No record is longer: names and hashes, and four numbers a component.
    if shards > MAX_SHARDS or shards * (512 + 4 * 26 * components) > MAX_MANIFEST_BYTES:
        raise FormatError(
            f"{shards:,} shards of {components:,} components are more than a manifest may list; choose larger "
            "shards (dataset.shard_rows), or several datasets"
        )


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for circles of garbage, of which a million records, still being made, hold none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():
                # What is new counts as old from here on: else all of it would be searched at once.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
