"""Which keys of two configs differ, for a message."""

from collections.abc import Mapping
from typing import Any

SHOWN = 6
LONGEST = 40


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """The keys with what they are in either, as in "training.steps is 5 here, 10 there"; a few of them."""
    first, second = _flat(ours), _flat(theirs)
    keys = [key for key in sorted({*first, *second}) if first.get(key) != second.get(key)]
    told = [
        f"{key} is {_shown(first.get(key))} here, {_shown(second.get(key))} there" for key in keys[:SHOWN]
    ]
    return "; ".join(told) + (f"; and {len(keys) - SHOWN} more" if len(keys) > SHOWN else "")


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        # A key that is left out stands at its default; an empty section says no more than none.
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _shown(value: Any) -> str:
    text = "not said" if value is None else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
