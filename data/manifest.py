"""The manifest: which shards make up a dataset, with their hashes. Written last, and atomically."""

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from .errors import FormatError
from .files import write_text
from .format import FORMAT, SPLITS, VERSION
from .hashing import canonical_json, json_hash, text_hash
from .shard import ShardRecord, inspect_shard
from .statistics import Moments
from .structure import json_attribute

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
# What a reader needs of the config that a dataset was made with.
CONFIG_KEYS = {
    "system": {"name"},
    "grid": {"duration", "points", "resample"},
    "dataset": {"dtype", "seed"},
    "engine": {"name"},
}


class SplitRecord(BaseModel):
    """One split: its size, its failed rows, the moments of its sound rows, its shards in row order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trajectories: int
    failed: int
    statistics: Moments
    shards: list[ShardRecord]

    @classmethod
    def of(cls, shards: list[ShardRecord]) -> Self:
        return cls(
            trajectories=sum(shard.rows for shard in shards),
            failed=sum(shard.failed for shard in shards),
            statistics=Moments.merge(shard.statistics for shard in shards),
            shards=shards,
        )


class Manifest(BaseModel):
    """What `manifest.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = FORMAT
    format_version: int = VERSION
    id: str
    config: dict[str, dict[str, Any]]
    config_hash: str
    system: dict[str, Any]
    components: list[str]
    splits: dict[str, SplitRecord]

    @model_validator(mode="after")
    def _statistics_of_all_components(self) -> Self:
        for shard in self.shards:
            if shard.statistics.count and len(shard.statistics.mean) != len(self.components):
                raise ValueError(
                    f"statistics of {shard.file} are not those of {len(self.components)} components"
                )
        for section, keys in CONFIG_KEYS.items():
            if not keys <= self.config.get(section, {}).keys():
                raise ValueError(f"config.{section} lacks one of {', '.join(sorted(keys))}")
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"splits are {', '.join(self.splits)}, expected {', '.join(SPLITS)}")
        return self

    @classmethod
    def of(
        cls,
        config: dict[str, Any],
        system: dict[str, Any],
        components: list[str],
        splits: dict[str, list[ShardRecord]],
    ) -> Self:
        """The manifest of these shards; the dataset's id hashes the config and all content hashes."""
        config_hash = json_hash(config)
        contents = {name: [shard.content_hash for shard in shards] for name, shards in splits.items()}
        return cls(
            id=json_hash({"config": config_hash, "contents": contents}),
            # In the order in which a shard keeps them, so that a lost manifest comes back byte for byte.
            config=json.loads(canonical_json(config)),
            config_hash=config_hash,
            system=json.loads(canonical_json(system)),
            components=components,
            splits={name: SplitRecord.of(shards) for name, shards in splits.items()},
        )

    @property
    def shards(self) -> list[ShardRecord]:
        """All shards, split by split."""
        return [shard for split in self.splits.values() for shard in split.shards]

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards)

    def to_json(self) -> str:
        return json.dumps(self.model_dump(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, folder: Path) -> None:
        """Write SHA256SUMS, then the manifest: a dataset with a manifest is complete.

        What is already there and right is left alone.
        """
        for name, text in ((CHECKSUMS, self.checksums()), (MANIFEST, self.to_json())):
            path = folder / name
            if not path.is_file() or path.read_bytes() != text.encode():
                write_text(path, text)

    def checksums(self) -> str:
        """The text of SHA256SUMS, as `sha256sum -c` reads it: the manifest, then the shards."""
        lines = [
            (text_hash(self.to_json()), MANIFEST),
            *((shard.sha256, shard.file) for shard in self.shards),
        ]
        return "".join(f"{digest}  {name}\n" for digest, name in lines)


def load_manifest(folder: Path) -> Manifest:
    """Read a dataset's manifest. Raises FormatError if there is none, or it is damaged or too new."""
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        # Neither NaN nor half a surrogate pair may hide in it: they have no place in a hash.
        canonical_json(raw).encode()
    except (FileNotFoundError, NotADirectoryError):
        raise FormatError(
            f"{folder}: no dataset: {MANIFEST} is missing. Make it with `trajstore generate CONFIG --out DIR`, "
            "or run that again if it was interrupted."
        ) from None
    except (ValueError, OSError, RecursionError) as error:
        raise FormatError(f"{path}: cannot be read as JSON ({error}); generate the dataset again") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise FormatError(f'{path}: no trajstore manifest: "format" is not "{FORMAT}"')
    if raw.get("format_version") != VERSION:
        raise FormatError(
            f"{path}: format version {raw.get('format_version')}, but this trajstore reads version {VERSION}; "
            "upgrade trajstore"
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FormatError(f"{path}: {where}: {first['msg']}, got {first.get('input')!r:.80}") from None


def manifest_of_file(path: Path) -> Manifest:
    """The manifest that one shard would have by itself; its id is its content hash.

    Raises FormatError if the file is no shard, or its attributes do not say what a manifest needs.
    """
    record, shard = inspect_shard(path)
    config = json_attribute(shard.attributes, "config", path)
    system = json_attribute(shard.attributes, "system", path)
    records = {split: [record] if split == shard.attributes["split"] else [] for split in SPLITS}
    try:
        manifest = Manifest.of(config, system, list(shard.components), records)
    except ValidationError as error:
        raise FormatError(f"{path}: {error.errors()[0]['msg']}") from None
    return manifest.model_copy(update={"id": record.content_hash})


def load_if_present(folder: Path) -> Manifest | None:
    """The manifest, or None where there is no sound one."""
    try:
        return load_manifest(folder)
    except FormatError:
        return None
