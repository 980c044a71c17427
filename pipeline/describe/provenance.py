"""Where a dataset that was not generated comes from, in words."""

from collections.abc import Mapping
from typing import Any

from .phrases import as_json, line


def provenance_lines(derived: Mapping[str, Any]) -> list[str]:
    """What was done to which sources, a line each."""
    arguments = derived.get("arguments")
    shown = f" {as_json(arguments)}" if arguments else ""
    operation = f"by {line(derived.get('operation'))}{shown}"
    return [operation, *(f"from {_source(source)}" for source in _sources(derived))]


def source_ids(derived: Mapping[str, Any]) -> list[str]:
    """Of the sources that are datasets."""
    return [line(entry["id"]) for entry in _sources(derived) if isinstance(entry, Mapping) and "id" in entry]


def _sources(derived: Mapping[str, Any]) -> list[Any]:
    sources = derived.get("sources")
    return sources if isinstance(sources, list) else []


def _source(source: Any) -> str:
    if not isinstance(source, Mapping):
        return line(source)
    earlier = source.get("derived")
    itself = f" (a dataset made by {line(earlier.get('operation'))})" if isinstance(earlier, Mapping) else ""
    if "file" in source:
        size, digest = line(source.get("bytes"), 20), line(source.get("sha256"), 64)
        return f"{line(source.get('file'), 200)}, {size} bytes, SHA-256 {digest}"
    named = [f"{key} {as_json(source[key])}" for key in ("title", "creator") if key in source]
    return ", ".join([f"{line(source.get('id'))}{itself}", *named])
