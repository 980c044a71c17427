"""The commands of `trajstore`, a file for each kind of work."""
