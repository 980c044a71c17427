"""What web servers answer, read with care, whoever asks: which answers pass, and which bytes of a file come."""

import re

from ..base.errors import TrajstoreError
from .address import plain

# Seconds until a connection stands, and between two pieces of an answer.
CONNECT, SILENCE = 10.0, 60.0
CHUNK = 1 << 16
# Answers of servers that may do better a moment later, and the longest wait in seconds that one may ask for.
PASSING = {408, 425, 429, 500, 502, 503, 504}
LONGEST_WAIT = 60.0
# What a server says may be anything: numbers are plain ones that Python reads in no time.
NUMBER = "[0-9]{1,18}"
CONTENT_RANGE = re.compile(rf"bytes ({NUMBER})-{NUMBER}/({NUMBER}|\*)")


def size_of(content_range: str, start: int) -> int | None:
    """Bytes of the whole file, by the header of an answer from byte `start` on; None where it does not say.

    Raises ValueError if other bytes come.
    """
    found = CONTENT_RANGE.fullmatch(content_range)
    if found is None or int(found.group(1)) != start:
        raise ValueError(f"the server sends other bytes than those from {start} on")
    return None if found.group(2) == "*" else int(found.group(2))


def number(text: str | None) -> int | None:
    """What a header counts; None where it says no number."""
    return int(text) if text and re.fullmatch(NUMBER, text) else None


def refused(where: str, status: int) -> TrajstoreError:
    """What is said of an answer of which another try is of no use."""
    if status in (401, 403):
        why = "not all may read it: ask who shares it, and on the Hugging Face Hub log in: hf auth login"
    else:
        why = "expected the file; is the address right?"
    return TrajstoreError(f"{where}: the server answers with status {status}; {why}")


def check_plain(where: str, encoding: str) -> None:
    """Raise TrajstoreError for content that is encoded: of compressed bytes no size or range means anything."""
    if encoding.lower() != "identity":
        raise TrajstoreError(f"{where}: the server sends {plain(encoding)}, expected the bytes of the file")
