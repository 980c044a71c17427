"""Figures of systems, datasets and runs."""
