"""Shares in words: what every message, card and figure prints of them."""

import math


def percentage(part: float, whole: float) -> str:
    """A share of a whole as a percentage, to two digits: "12 %", "0.034 %", "99.97 %".

    Only nothing is "0 %", and only all of it is "100 %": near either end two digits of what is missing are kept.
    """
    if not 0 < part < whole:
        return "100 %" if 0 < whole <= part else "0 %"
    value, least = 100 * part / whole, 100 * min(part, whole - part) / whole
    text = f"{value:.{max(0, 1 - math.floor(math.log10(least)))}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"
