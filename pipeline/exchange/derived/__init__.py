"""Datasets cut from and put together of others, and files for other programs."""
