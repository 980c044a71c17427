"""Datasets that others share, brought in whole and verified."""
