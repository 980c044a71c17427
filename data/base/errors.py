"""The errors that users see: each says what, what was got, what was expected and how to mend it."""

from pathlib import Path

# How to mend a file that is damaged.
AGAIN = "Fetch it again, or generate it again with the same config."


class TrajstoreError(Exception):
    """Base of all errors that a user can mend; the command line prints it and exits with 2."""


class FormatError(TrajstoreError):
    """A file or folder is not a trajstore dataset, or a damaged one.

    Args:
        text: What is wrong, and how to mend it; an attribute, too.
        where: The file or folder, if it is known; the message begins with it.
    """

    def __init__(self, text: str, where: str | Path | None = None) -> None:
        super().__init__(text if where is None else f"{where}: {text}")
        self.text = text


class DataError(TrajstoreError):
    """A dataset cannot serve what was asked of it (no such split, window too long, ...)."""


def printable(text: str, keep: str = "") -> str:
    """The text with an escape for each sign that a terminal would obey or no encoding holds, but for those to keep.

    A message may quote a stranger's file, or its name.
    """
    return "".join(sign if sign.isprintable() or sign in keep else repr(sign)[1:-1] for sign in text)
