"""From shards to batches: splits, windows, tasks, the torch Dataset and its loaders."""
