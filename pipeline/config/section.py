"""What is wrong with a config: errors that name the key, and texts that no file may hold."""

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
