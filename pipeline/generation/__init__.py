"""Equations -> dataset: the plan, the workers that make shards, and what a folder already holds."""
