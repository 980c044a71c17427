"""Which shards of a folder are still those of its manifest, so that they need not be made, or even read, again."""

from pathlib import Path

from ...data.base.files import has_size
from ...data.base.hashing import file_hash, json_hash
from ...data.folder.manifest import Manifest
from ...data.shard.schema import without_sizes
from ...data.shard.shard import ShardRecord


class KeptShards:
    """The shards that a manifest lists and the folder still holds, unchanged.

    Unchanged is a shard of the recorded size and SHA-256: times of change prove nothing, for a copy of damaged files
    has times in any order.

    recipe  hash of the config, without sizes, that the shards must have; those of another are none
    """

    def __init__(self, folder: Path, manifest: Manifest | None, recipe: str) -> None:
        self._folder, self.recipe = folder, recipe
        right = manifest is not None and json_hash(without_sizes(manifest.config)) == recipe
        self._records = {record.file: record for record in manifest.shards} if manifest and right else {}
        self._found: dict[str, bool] = {}

    def __getitem__(self, file: str) -> ShardRecord | None:
        """The record of a shard that is unchanged; it is looked at once."""
        record = self._records.get(file)
        if record is None:
            return None
        if file not in self._found:
            self._found[file] = self._unchanged(record)
        return record if self._found[file] else None

    def _unchanged(self, record: ShardRecord) -> bool:
        path = self._folder / record.file
        return has_size(path, record.bytes) and file_hash(path) == record.sha256
