"""Processes: locks, signals, limits, progress, and which software runs."""
