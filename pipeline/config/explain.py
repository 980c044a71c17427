"""What is wrong with a config, in lines that name the keys."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ...data.base.plain_words import TAGS, got, key_of, mistake
from ...data.base.section import Section
from ...data.base.suggestions import did_you_mean


def explain(error: ValidationError, kind: type[BaseModel], raw: Any, under: str = "") -> str:
    """A line for each mistake: the key, what it got, what it takes.

    Args:
        error: As pydantic found them.
        kind: Of the section in which they are, or of the whole config.
        raw: The plain values in which they are.
        under: The key of that section; none is the whole config.
    """
    return "\n".join(_line(dict(problem), kind, raw, under) for problem in error.errors())


def _line(problem: dict[str, Any], kind: type[BaseModel], raw: Any, under: str) -> str:
    location = [str(part) for part in problem["loc"] if part not in TAGS]
    key = key_of(problem, under) or "the config"
    match problem["type"]:
        case "extra_forbidden":
            known = _known_keys(location[:-1], kind, raw)
            shown = f"; known here are {', '.join(known)}." if known else ""
            return f"{key}: unknown key{shown}{did_you_mean(location[-1], known)}"
        case "literal_error":
            meant = did_you_mean(str(problem["input"]), problem["ctx"]["expected"].split("'")[1::2])
            return (
                f"{key}: {got(problem['input'])}, expected {problem['ctx']['expected']}{meant and '.'}{meant}"
            )
        case _:
            return f"{key}: {mistake(problem)}"


def _known_keys(location: list[str], kind: type[BaseModel], raw: Any) -> list[str]:
    """The keys of the section that is there."""
    for part in location:
        raw = raw.get(part) if isinstance(raw, Mapping) else None
        if part not in kind.model_fields:
            # The name of a state or parameter.
            continue
        found = _model_in(kind.model_fields[part].annotation)
        if found is None:
            return []
        kind = found
    return kind.known_keys(raw) if issubclass(kind, Section) else list(kind.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a key takes, perhaps among others."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
