"""One shard: its schema, how it lies in HDF5, and how it is written, checked and read."""
