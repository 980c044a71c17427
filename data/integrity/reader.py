"""Reads shards for checks, in this process; `child_reader` does the same in another one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ..folder.manifest import Manifest
from ..folder.manifest_reading import manifest_of_file
from ..shard.shard import ShardRecord
from .shard_checks import file_problems, recorded_problems
from .shared_rows import SharedRows, shared_rows_of

# From the path of a shard, and arguments that JSON knows, to a value that JSON knows.
TASKS: dict[str, Callable[..., Any]] = {
    "problems": lambda path: list(file_problems(path)),
    "recorded problems": lambda path, split, record, *dataset: list(
        recorded_problems(path, split, ShardRecord.model_validate(record), *dataset)
    ),
    "rows": lambda path: shared_rows_of(path).to_dict(),
    "manifest": lambda path: manifest_of_file(path).model_dump(),
}


class Reader:
    """A context manager; each method raises FormatError if the file is refused."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open here."""

    def __call__(self, task: str, path: Path, *arguments: Any) -> Any:
        """What one of TASKS gives for a file."""
        return TASKS[task](path, *arguments)

    def problems(self, path: Path) -> list[str]:
        """What is wrong with a shard by itself."""
        return self("problems", path)

    def recorded_problems(
        self, path: Path, split: str, record: ShardRecord, components: list[str], config_hash: str
    ) -> list[str]:
        """What is wrong with a shard that a manifest lists."""
        return self("recorded problems", path, split, record.model_dump(), components, config_hash)

    def rows(self, path: Path) -> SharedRows:
        """The sound rows of a shard."""
        return SharedRows.from_dict(self("rows", path))

    def manifest(self, path: Path) -> Manifest:
        """The manifest that a shard would have by itself."""
        return Manifest.model_validate(self("manifest", path))
