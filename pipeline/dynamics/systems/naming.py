"""Which names states and parameters may have."""

import keyword
import re

from ....data.base.errors import TrajstoreError
from ....data.shard.schema import KNOWN_VARIABLES
from .expressions import RESERVED

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class InvalidSystemError(TrajstoreError):
    """A system that does not hang together: unknown names, missing boxes, impossible parameters."""


def check_name(name: str) -> None:
    """Raises InvalidSystemError if no state or parameter can be called so."""
    if keyword.iskeyword(name):
        raise InvalidSystemError(
            f"{name!r} is a keyword of Python, which names in equations cannot be; choose another, as {name}_"
        )
    if not NAME.fullmatch(name):
        raise InvalidSystemError(f"{name!r} is no name; expected letters, digits and _, a letter first")
    if name in RESERVED:
        raise InvalidSystemError(f"{name!r} already means something in equations; choose another name")
    if name in KNOWN_VARIABLES:
        raise InvalidSystemError(f"{name!r} is a variable of the file format; choose another name")
