"""What no dataset could keep of the plain values of a config: some texts, and whole numbers that are no float64."""

from collections.abc import Mapping
from typing import Any

from ...data.base.errors import TrajstoreError
from ...data.shard.limits import RefusedError, plain_text


class ConfigError(TrajstoreError):
    """A config that cannot be read: names the key, what it got and what it takes."""


def check_texts(value: Any, key: str = "") -> None:
    """Raise ConfigError, naming the key, for a text in plain values that no shard may hold: found before any work."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            where = f"{key}.{name}" if key else str(name)
            check_texts(str(name), where)
            check_texts(entry, where)
    elif isinstance(value, list | tuple):
        for entry in value:
            check_texts(entry, key)
    elif isinstance(value, str):
        try:
            plain_text(value, key)
        except RefusedError as error:
            raise ConfigError(f"{error}; got {value!r:.80}, expected plain text") from None


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
