"""How objects tell what they are, in one line of `repr`."""

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import printable

# Names that are told; of more, how many there are.
SHOWN = 6


def few(names: Sequence[str]) -> str:
    """The names, or the first of them and how many there are."""
    if len(names) <= SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:SHOWN])}, ... ({len(names)} in all)"


def system_name(config: Mapping[str, Any]) -> str:
    """Of a dataset's config, which may be a stranger's and hold anything."""
    system = config.get("system")
    name = system.get("name") if isinstance(system, Mapping) else None
    return name if isinstance(name, str) else "unnamed system"


def told(kind: type, text: str) -> str:
    """`<Kind: text>`, on one line whatever a stranger's names hold."""
    return printable(f"<{kind.__name__}: {text}>")
