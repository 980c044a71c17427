"""What a key of a config got and what it takes, in the words of TOML and not in those of Python or pydantic."""

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

# Parts of a location that are no keys, nor could be the name of a state or parameter.
TAGS = ("<number>", "<draw>", "<periods>", "<by name>", "<path>", "<paths>", "<sections>", "[key]")
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


def key_of(problem: Mapping[str, Any], under: str = "") -> str:
    """The key that pydantic found a mistake in, where the whole lies under another one."""
    # An empty key is written so in TOML; an override with two dots in a row has one.
    parts = [str(part) or '""' for part in problem["loc"] if part not in TAGS]
    return ".".join([under, *parts] if under else parts)


def mistake(problem: Mapping[str, Any]) -> str:
    """What pydantic found of a key: what it got, and what it takes."""
    match problem["type"]:
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return "missing"
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            return f"{got(problem['input'])}, {expected(problem)}"


def first_mistake(error: ValidationError, under: str = "") -> str:
    """The first mistake in what may be a stranger's: its key and what is wrong with it, in a line."""
    problem = error.errors()[0]
    key = key_of(problem, under)
    return f"{key:.200}: {mistake(problem)}" if key else mistake(problem)


def expected(problem: Mapping[str, Any]) -> str:
    """What pydantic would have taken; in its own words where there are no plainer ones."""
    if len(problem["loc"]) == 1 and (headed := _headed(problem)):
        return headed
    if problem["type"] == "list_type":
        return f"expected a list{_as_list(problem['input'])}"
    if problem["type"] == "float_type" and "<number>" in problem["loc"] and _is_range(problem["input"]):
        low, high = problem["input"]
        return f"expected a number, or how rows draw theirs, as in {{ uniform = [{low}, {high}] }}"
    if problem["type"] in EXPECTED:
        return "expected " + EXPECTED[problem["type"]].format(**problem.get("ctx", {}))
    message = problem["msg"].replace("Input should be ", "expected ")
    quoted = problem["type"] in ("float_type", "int_type") and _is_number(problem["input"])
    return message[0].lower() + message[1:] + ("; leave out the quotes" if quoted else "")


def _headed(problem: Mapping[str, Any]) -> str:
    """Of a section of the file whose head has one pair of brackets for two, or two for one; "" of all else."""
    key, value = problem["loc"][0], problem["input"]
    if problem["type"] == "list_type" and isinstance(value, Mapping):
        return f"expected a list of tables, each with the head [[{key}]]"
    if (
        problem["type"] == "model_type"
        and isinstance(value, list)
        and value
        and isinstance(value[0], Mapping)
    ):
        return f"expected one table, with the head [{key}]"
    return ""


def _as_list(value: Any) -> str:
    """What was probably meant where one value stands in the place of several, as TOML has it."""
    match value:
        case bool():
            return f", as in [{str(value).lower()}]"
        case str():
            return f", as in [{json.dumps(value, ensure_ascii=False):.80}]"
        case int() | float():
            return f", as in [{value}]"
        case _:
            return ""


def _is_number(value: Any) -> bool:
    """A text that is one of TOML's numbers in quotes."""
    return isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", value) is not None


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in value)
    )
