"""Datasets from elsewhere and for others."""
