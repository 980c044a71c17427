"""What rows were given at random, in words: initial states and values of parameters, as a manifest states it."""

from collections.abc import Mapping
from typing import Any

from .phrases import as_json, line


def law(section: Any) -> str:
    """A section on initial states as text; "" where there is none."""
    if not isinstance(section, Mapping):
        return ""
    keys = [f"{line(key)} = {as_json(value)}" for key, value in section.items() if key != "kind"]
    return ", ".join([line(section.get("kind")), *keys])


def drawing(draw: Any, by_split: Any = None) -> str:
    """How the rows were given values of a parameter, and those of splits that got theirs in another way."""
    if not isinstance(draw, Mapping):
        return "one a row"
    others = by_split.items() if isinstance(by_split, Mapping) else ()
    told = [f"{_drawn(draw)}", *(f"in {line(split, 20)} {_drawn(other)}" for split, other in others)]
    return f"one a row: {'; '.join(told)}"


def _drawn(draw: Any) -> str:
    if not isinstance(draw, Mapping):
        return line(draw)
    return ", ".join(f"{line(kind)} {as_json(values)}" for kind, values in draw.items())
