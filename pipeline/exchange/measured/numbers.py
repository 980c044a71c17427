"""Cells of a table -> numbers, of which each can mean one thing only."""

import re
from decimal import Context, Decimal
from pathlib import Path

import numpy as np

from ....data.base.errors import DataError
from .exact import WHOLE

# A lone point is what SAS, Stata and NONMEM write for a missing value.
GAPS = {
    "", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "+nan", "1.#qnan", "-1.#ind", "null", "none",
    "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity",
}  # fmt: skip
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eEdD][+-]?\d+)?")
# 1,234 and 1.234: one and something, or a thousand and something.
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[,.]\d{3}")
GROUPED = re.compile(r"\d[ .,'_\u00a0\u202f\u2019]\d{3}(?!\d)")
# 1.0D+00 of double precision, and 1.0+100, where three digits leave no room for the letter.
FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[dDqQ]([+-]?\d{1,4})|([+-]?(?:\d+\.\d*|\.\d+))([+-]\d{3})")
# Below it, float64 has fewer digits than elsewhere, and at last none.
SMALLEST = float(np.finfo(np.float64).smallest_normal)
NOUGHT = re.compile(r"[+-]?[0.]+([eE].*)?")
INTEGER = re.compile(r"[+-]?\d+(?:\.0*)?")


class Numbers:
    """Reads cells; a file has one decimal sign, a point or, where cells are not parted by it, a comma.

    decimal  the sign, where the user says it; None where the numbers are to tell
    """

    def __init__(self, path: Path, names: list[str], delimiter: str, decimal: str | None) -> None:
        self._path, self._names, self._decimal = path, names, decimal
        self._commas = decimal == "," or (delimiter != "," and decimal is None)
        # Numbers with each sign: the first, and the first that can mean but one thing.
        self._first: dict[str, tuple[int, str]] = {}
        self._clear: set[str] = set()

    def read(self, line: int, place: int, cell: str) -> float:
        """A cell's number; an empty one, or NA, is NaN."""
        text = cell.strip()
        if text.casefold() in GAPS:
            return np.nan
        name = self._names[place]
        plain = text
        if self._commas and DECIMAL_COMMA.fullmatch(text):
            self._note(line, ",", text)
            plain = text.replace(",", ".")
        elif "." in text and self._commas:
            self._note(line, ".", text)
        value = _value(plain)
        if value is None:
            plain = _plain(plain)
            value = _value(plain)
        if value is None or (self._decimal == "," and "." in text):
            hint = ""
            if DECIMAL_COMMA.fullmatch(text):
                hint = "; if its comma is the sign of decimals, say --decimal ,"
            elif GROUPED.search(text):
                hint = "; if these are thousands, write it without signs between the digits"
            elif text.endswith("%"):
                hint = "; write it without the sign %"
            elif not any(sign.isdigit() for sign in text):
                hint = (
                    f"; of a column of texts say --trajectory {name!r:.40} if it tells trajectories apart, else name "
                    "those of the state with --components NAME,NAME"
                )
            raise DataError(f"{self._path}: line {line}: {name} is {cell!r:.40}, expected a number{hint}")
        if not -WHOLE < value < WHOLE:
            self._check_large(line, name, plain, value)
        elif -SMALLEST < value < SMALLEST and not NOUGHT.fullmatch(plain) and not _as_written(plain, value):
            raise DataError(
                f"{self._path}: line {line}: {name} is {text:.40}, too close to 0 for a number: it would become "
                f"{value!r}. Choose another unit, or write 0"
            )
        return value

    def _check_large(self, line: int, name: str, text: str, value: float) -> None:
        if np.isinf(value):
            raise DataError(f"{self._path}: line {line}: {name} is {text:.40}, more than a number can hold")
        whole = INTEGER.fullmatch(text) is not None
        if len(text) >= 400:
            return
        lost = int(text.partition(".")[0]) != int(value) if whole else not _as_written(text, value)
        if lost and Decimal(text) == Decimal(text).to_integral_value():
            raise DataError(
                f"{self._path}: line {line}: {name} is {text:.40}, which no float64 is: it would become "
                f"{int(value)}. Take something off before, such as the first value, or write fewer digits"
            )

    def _note(self, line: int, sign: str, text: str) -> None:
        self._first.setdefault(sign, (line, text))
        if not THOUSANDS.fullmatch(text):
            self._clear.add(sign)
        if len(self._first) > 1:
            shown = " and ".join(repr(found)[:40] for _, found in self._first.values())
            raise DataError(
                f"{self._path}: line {line}: the file has numbers like {shown}; expected one sign for decimals"
            )

    def remarks(self) -> tuple[str, ...]:
        """Which sign was taken for that of decimals, a line. Raises DataError if a comma may be either."""
        if self._decimal is not None or not self._first:
            return ()
        ((sign, (line, text)),) = self._first.items()
        if sign == "," and sign not in self._clear:
            raise DataError(
                f"{self._path}: line {line}: {text!r:.40} may be {text.replace(',', '.'):.40} or "
                f"{text.replace(',', ''):.40}, and no other number tells which; say --decimal , or write it without "
                "the comma"
            )
        if sign == "." and sign in self._clear:
            return ()
        return (f"{self._path}: {sign!r} is taken for the decimal sign, as in {text!r:.40} (line {line})",)


def _plain(text: str) -> str:
    """A number with the exponent of Fortran as others write it."""
    found = FORTRAN.fullmatch(text)
    return f"{found[1] or found[3]}e{found[2] or found[4]}" if found else text


def _value(text: str) -> float | None:
    """The number that a text is; None if it is none. What Python alone takes for one, as 1_0, is none."""
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _as_written(text: str, value: float) -> bool:
    """Is the text, of a number that is not 0, what float64's own number is, in so many digits?"""
    if value == 0:
        return False
    written = Decimal(text)
    digits = len(written.as_tuple().digits)
    return written in (Decimal(repr(value)), Context(prec=digits).create_decimal(Decimal(value)))


def is_number(text: str) -> bool:
    """Could a name in a header be a number?"""
    value = _value(_plain(text.strip().replace(",", ".")))
    return value is not None and bool(np.isfinite(value))
