"""Names in messages: those that there are, and what somebody who mistyped one probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches

SIMILAR = 0.6
# A longer name is a text that went astray, and comparing it with each known one would take long.
LONGEST = 200
# Of a list of names.
SHOWN = 40


def listed(names: Iterable[str]) -> str:
    """The names as a message lists them, of very many the first; "none" of none."""
    several = list(names)
    return ", ".join(several[:SHOWN]) + (", ..." if len(several) > SHOWN else "") or "none"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?', to be put behind a message, or nothing where no known name is like it."""
    names = [each for each in known if len(each) <= LONGEST]
    if len(name) > LONGEST:
        return ""
    folded = {each.casefold(): each for each in reversed(names)}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=SIMILAR)
    return f" Did you mean {folded[close[0]]}?" if close else ""
