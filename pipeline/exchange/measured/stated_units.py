"""The units that a file states of an array: one for all of it, or one a component."""

from pathlib import Path

import h5py
import numpy as np

from ....data.base.errors import DataError
from .variables import NO_UNIT, UNITS, Variable


def stated_units(path: Path, name: str, variable: Variable, count: int) -> list[str | None]:
    """The unit of each of its components, None of those without one.

    Raises DataError if a unit is no text, or there are several, but not as many as components.
    """
    key = next((key for key in UNITS if key in variable.attributes), None)
    given = None if key is None else variable.attributes[key]
    if given is None or isinstance(given, h5py.Empty):
        return [None] * count
    texts = [
        entry.decode("utf-8", errors="replace") if isinstance(entry, bytes) else entry
        for entry in np.asarray(given, dtype=object).reshape(-1)
    ]
    wrong = [text for text in texts if not isinstance(text, str)]
    if wrong:
        raise DataError(f"{path}: {key} of {name} is {wrong[0]!s:.40}, expected text")
    if len(texts) not in (1, count):
        expected = "one" if count == 1 else f"one, or {count}: one a component"
        raise DataError(f"{path}: {key} of {name} has {len(texts)} values, expected {expected}")
    found = [None if text.strip() in ("", NO_UNIT) else text.strip() for text in texts]
    return found * count if len(found) == 1 else found
