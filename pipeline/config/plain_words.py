"""What a key of a config got and what it takes, in the words of TOML and not in those of Python or pydantic."""

import datetime
from typing import Any

# By pydantic's name of a mistake, where its words are a programmer's.
EXPECTED = {
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "string_pattern_mismatch": "a text like {pattern}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}


def got(value: Any) -> str:
    """A value as the file has it, cut off where it is long."""
    shown = value.isoformat() if isinstance(value, datetime.date | datetime.time) else repr(value)
    return f"got {shown:.80}"


def expected(problem: dict[str, Any]) -> str:
    """What pydantic would have taken; in its own words where there are no plainer ones."""
    if problem["type"] in EXPECTED:
        return "expected " + EXPECTED[problem["type"]].format(**problem.get("ctx", {}))
    message = problem["msg"].replace("Input should be ", "expected ")
    return message[0].lower() + message[1:]
