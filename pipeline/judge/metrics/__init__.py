"""Metrics: how far predictions are from the truth, each in a file, taken in batch by batch."""
