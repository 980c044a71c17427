"""What callers pass, checked where they pass it."""

from collections.abc import Iterable
from math import inf
from numbers import Real
from operator import index
from typing import Any

from .errors import DataError


def whole_number(name: str, value: Any, least: int) -> int:
    """A whole number of any integer type, no truth value, as an int. Raises DataError, which names the argument."""
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise DataError(f"{name} is {value!r:.80}; expected a whole number of {least} or more")
    return number


def positive(name: str, value: Any) -> float:
    """A finite number above 0, no truth value, as a float. Raises DataError, which names the argument."""
    if not _is_real(value) or not 0 < value < inf:
        raise DataError(f"{name} is {value!r:.80}; expected a finite number above 0")
    return float(value)


def share(name: str, value: Any) -> float:
    """A part of the whole, from 0 to below 1, as a float. Raises DataError, which names the argument."""
    if not _is_real(value) or not 0 <= value < 1:
        raise DataError(f"{name} is {value!r:.80}; expected a number from 0 to below 1")
    return float(value)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def seed_of(name: str, value: Any) -> int:
    """A seed. Raises DataError for one of 2**64 or more, of which only the last bits would count."""
    number = whole_number(name, value, 0)
    if number >= 2**64:
        raise DataError(f"{name} is {number}; expected a whole number below 2**64, {2**64}")
    return number


def truth(name: str, value: Any) -> bool:
    """Raises DataError, which names the argument, if it is no truth value."""
    if not isinstance(value, bool):
        raise DataError(f"{name} is {value!r:.80}; expected True or False")
    return value


def one_of(name: str, value: Any, known: Iterable[str]) -> str:
    """One of the known names. Raises DataError, which names the argument and lists them, for anything else."""
    known = list(known)
    if not isinstance(value, str) or value not in known:
        raise DataError(f"{name} is {value!r:.80}; expected one of {', '.join(known)}")
    return value


def check_no_text(name: str, value: Any, of: str = "names") -> None:
    """Raises DataError, which names the argument, for a text in the place of a list: its letters would be taken."""
    if isinstance(value, str):
        raise DataError(
            f"{name} is the text {value!r:.80}; expected a list of {of}, as in {name}=[{value!r:.80}]"
        )


def names(name: str, value: Any) -> tuple[str, ...]:
    """Names in their order, each once. Raises DataError, which names the argument, also for a text alone."""
    check_no_text(name, value)
    found = tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(one, str) for one in found):
        raise DataError(f"{name} is {value!r:.80}; expected a list of names")
    if len(set(found)) < len(found):
        raise DataError(f"{name} are {', '.join(found)}; expected each name once")
    return found
