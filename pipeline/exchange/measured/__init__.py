"""Measured files of many kinds -> a dataset; what cannot be read for certain is refused."""
