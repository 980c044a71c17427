"""Does a config hold the numbers that its file says? A whole number of TOML may be none of float64."""

from collections.abc import Mapping
from typing import Any

from .section import ConfigError


def check_held(said: Any, held: Any, key: str = "") -> None:
    """Raise ConfigError, naming the key, for a whole number that became another one where a float stands for it.

    said  plain values, as they were read
    held  what was made of them: sections, tables, lists, numbers
    """
    if isinstance(said, Mapping):
        for name, entry in said.items():
            there = held.get(name) if isinstance(held, Mapping) else getattr(held, name, None)
            check_held(entry, there, f"{key}.{name}" if key else name)
    elif isinstance(said, list) and isinstance(held, list | tuple):
        for entry, there in zip(said, held, strict=False):
            check_held(entry, there, key)
    elif type(said) is int and isinstance(held, float) and said != held:
        raise ConfigError(
            f"{key}: got {said}, which float64 cannot hold; the nearest number that it can is {int(held)}"
        )
