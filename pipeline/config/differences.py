"""In which keys two configs differ, in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

# Of the keys that differ, and of the characters of a value.
SHOWN, LONGEST = 6, 60


def differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys, as in "grid.points", each with its value there and here; None where there is none."""
    old, new = dict(_leaves(there)), dict(_leaves(here))
    return {key: (old.get(key), new.get(key)) for key in {**new, **old} if old.get(key) != new.get(key)}


def in_words(differences: Mapping[str, tuple[Any, Any]]) -> str:
    """The first of them as a phrase."""
    told = [f"{key} is {_value(old)} there, {_value(new)} here" for key, (old, new) in differences.items()]
    more = [f"and {len(told) - SHOWN} more keys"] if len(told) > SHOWN else []
    return "; ".join([*told[:SHOWN], *more])


def _leaves(section: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _value(value: Any) -> str:
    text = "not given" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
