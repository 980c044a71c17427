"""Single values in words: what messages, cards and figures print of anything that a manifest may hold."""

import json
import math
from collections.abc import Mapping
from typing import Any

# Far beyond what people write.
LONGEST = 2_000


def percentage(part: float, whole: float) -> str:
    """A share of a whole as a percentage, to two digits: "12 %", "0.034 %", "99.97 %".

    Only nothing is "0 %", and only all of it is "100 %": near either end two digits of what is missing are kept.
    """
    if not 0 < part < whole:
        return "100 %" if 0 < whole <= part else "0 %"
    value, least = 100 * part / whole, 100 * min(part, whole - part) / whole
    text = f"{value:.{max(0, 1 - math.floor(math.log10(least)))}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def line(value: Any, longest: int = LONGEST) -> str:
    """Anything as one line of printable text."""
    text = "" if value is None else str(value)
    words = "".join(c if c.isprintable() else " " for c in text[: longest + 1]).split()
    joined = " ".join(words)
    return joined if len(joined) <= longest else joined[: longest - 1] + "…"


def number(value: Any) -> str:
    """A number as the shortest text that reads back as it is; anything else as a line."""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return line(value, 80)


def amount(value: float | Mapping[str, float]) -> str:
    """The size of a noise, of all components alike or by name."""
    if not isinstance(value, Mapping):
        return number(value)
    return line(", ".join(f"{name} {number(size)}" for name, size in value.items()))


def as_json(value: Any) -> str:
    """Anything from a manifest as a line of JSON."""
    return line(json.dumps(value, ensure_ascii=False))
