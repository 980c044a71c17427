"""Every key of a config as a table in Markdown, from the classes that check them."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

# A line under "Attributes:": keys, and what they mean; what is indented further goes on.
ENTRY = re.compile(r"^    ((?:\w+, )*\w+): (\S.*)$")


def markdown(sections: Mapping[str, type[BaseModel]], level: str = "##") -> str:
    """A heading and a table for each section: keys, types, defaults, meanings.

    Raises ValueError if the docstring of a class does not say what a key means.
    """
    return "\n".join(_section(name, kind, level) for name, kind in sections.items())


def _section(name: str, kind: type[BaseModel], level: str) -> str:
    told, meanings = _docstring(kind)
    lines = [f"{level} `{name}`", "", *([told, ""] if told else [])]
    fields = {key: field for key, field in kind.model_fields.items() if key != "sha256"}
    if not fields:
        return "\n".join(lines)
    lines += ["| key | default | meaning |", "|---|---|---|"]
    for key, field in fields.items():
        if key not in meanings:
            raise ValueError(f"{kind.__name__}: its docstring does not say what {key} means")
        lines.append(f"| `{field.alias or key}` | {_default(field)} | {meanings[key]} |")
    return "\n".join([*lines, ""])


def _docstring(kind: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """What a class is, in a paragraph; and what each of its keys means, those of its bases included."""
    meanings: dict[str, str] = {}
    told = ""
    for base in reversed(kind.__mro__):
        if not issubclass(base, BaseModel) or base is BaseModel:
            continue
        text, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("\nAttributes:\n")
        told = " ".join(text.split())
        keys: list[str] = []
        for line in attributes.splitlines():
            if found := ENTRY.match(line):
                keys = found[1].split(", ")
                meanings |= dict.fromkeys(keys, found[2])
            elif keys and line.startswith("     "):
                meanings |= {key: f"{meanings[key]} {line.strip()}" for key in keys}
            else:
                keys = []
    return told, {key: text.replace("|", "\\|") for key, text in meanings.items()}


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "needed"
    if value is None:
        return "-"
    if isinstance(value, BaseModel):
        return "see there"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:,}`".replace(",", "_") if isinstance(value, int) else f"`{value}`"
