"""The plan of a dataset: which rows lie in which shard."""

from dataclasses import dataclass

from ...data.folder.manifest_parts import check_size
from ...data.shard.schema import SPLITS, shard_name
from ..config.experiment import Experiment


@dataclass(frozen=True)
class ShardPlan:
    """Rows `first_row` to `first_row + rows` of a split, and the file that holds them.

    again  they are made only to be compared with those of the file, which is there
    """

    split: str
    file: str
    first_row: int
    rows: int
    again: bool = False


def make_plan(config: Experiment) -> list[ShardPlan]:
    """All shards of a dataset, split by split, in row order. Raises FormatError if they are more than may be."""
    sizes = {split: (getattr(config.dataset, split), config.shard_rows_of(split)) for split in SPLITS}
    # Counted before they are listed, for a mistyped number of rows may ask for more than any list holds.
    shards = sum(-(-total // size) for total, size in sizes.values())
    check_size(shards, len(config.dynamics.states))
    return [
        ShardPlan(split, shard_name(split, index), first, min(size, total - first))
        for split, (total, size) in sizes.items()
        for index, first in enumerate(range(0, total, size))
    ]
