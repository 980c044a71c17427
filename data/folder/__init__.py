"""A dataset's folder: its manifest, in parts where there are many shards, and what a config states of it."""
