"""Sizes of a shuffle in blocks that serve most machines."""

# Small blocks mix better, large ones are read faster: from a solid-state disk, a few threads read blocks of this
# size about as fast as larger ones.
BLOCK_BYTES = 256 << 10
BUFFER_BYTES = 512 << 20


def count_blocks(units: int, unit_bytes: int, block_bytes: int) -> int:
    """How many blocks, of at most so many bytes or one unit, hold these units: rows, or chunks of rows."""
    return -(-units // max(1, block_bytes // unit_bytes))
