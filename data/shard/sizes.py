"""How large rows are, and how many of them a shard holds where nobody says it."""

import numpy as np

# Shards are cut so that a shard's states stay near this size.
SHARD_BYTES = 64 << 20
MAX_SHARD_ROWS = 65_536


def row_bytes(points: int, components: int, dtype: str) -> int:
    """Bytes of the states of one row."""
    return points * components * np.dtype(dtype).itemsize


def rows_of_shard(points: int, components: int, dtype: str) -> int:
    """How many such rows lie in a shard, at least one."""
    return max(1, min(MAX_SHARD_ROWS, SHARD_BYTES // row_bytes(points, components, dtype)))
