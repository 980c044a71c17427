"""The figures of a run, a file each: from its metrics and arrays to a matplotlib figure, or to none."""
