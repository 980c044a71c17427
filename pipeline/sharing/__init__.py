"""Datasets on their way between people: described, fetched, imported, cut, joined, exported."""
