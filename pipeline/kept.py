"""Which shards of a folder are still those of its manifest, so that they need not be made, or even read, again."""

from functools import cached_property
from pathlib import Path

from ..data.errors import FormatError
from ..data.format import PARTS_VERSION, without_sizes
from ..data.guard import read_text_file
from ..data.hashing import file_hash, json_hash
from ..data.manifest import CHECKSUMS, MANIFEST, Manifest, document_hashes
from ..data.shard import ShardRecord


class KeptShards:
    """The shards that a manifest lists and the folder still holds, unchanged.

    Unchanged is a shard of the recorded size and SHA-256. Of a manifest in parts, which lists more shards than one
    wants to read for a look, it is also one of the recorded size that the system says was last changed before
    manifest and SHA256SUMS were written, as long as these two agree: the time of the last change of a file
    (`st_ctime`) cannot be set. What changes without a trace in the file system, as a bit on a bad disk, or before
    both were copied or touched, only `verify` finds there.

    recipe  hash of the config, without sizes, that the shards must have; those of another are none
    """

    def __init__(self, folder: Path, manifest: Manifest | None, recipe: str) -> None:
        self._folder = folder
        right = manifest is not None and json_hash(without_sizes(manifest.config)) == recipe
        self._manifest = manifest if right else None
        self._records: dict[str, ShardRecord] = {}
        if self._manifest is not None:
            self._records = {record.file: record for record in self._manifest.shards}
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
        if not path.is_file():
            return False
        status = path.stat()
        if status.st_size != record.bytes:
            return False
        return max(status.st_ctime_ns, status.st_mtime_ns) < self._written or file_hash(path) == record.sha256

    @cached_property
    def _written(self) -> int:
        """Before which time, in nanoseconds, every shard was as the manifest says; 0 if none is known."""
        manifest = self._manifest
        if manifest is None or manifest.format_version != PARTS_VERSION:
            return 0
        try:
            text = read_text_file(self._folder / CHECKSUMS)
        except (OSError, ValueError, FormatError):
            return 0
        if text != manifest.checksums(document_hashes(self._folder)):
            return 0
        files = [(self._folder / name).stat() for name in (MANIFEST, CHECKSUMS)]
        return min(time for file in files for time in (file.st_mtime_ns, file.st_ctime_ns))
