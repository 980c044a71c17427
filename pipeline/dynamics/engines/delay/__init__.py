"""Delay equations: collocation for many rows at once, and SciPy row by row."""
