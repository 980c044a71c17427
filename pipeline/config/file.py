"""One TOML file describes one experiment: read and checked here, with errors that name the key."""

import codecs
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ...data.base.errors import TrajstoreError
from ...data.base.suggestions import did_you_mean
from .consistency import check_training
from .experiment import Experiment
from .learning import Learning
from .plain_values import ConfigError, check_held, check_texts
from .plain_words import expected, got

Config = TypeVar("Config", bound=Learning)

# Byte order marks of UTF-16, and so of UTF-32.
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
# Parts of a location that are no keys, nor could be the name of a state or parameter.
TAGS = ("<number>", "<draw>", "<periods>", "<by name>", "[key]")
GENERATING = ("system", "grid", "dataset", "engine", "initial_states", "observation")


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read a TOML file and apply overrides "key.path=value".

    Raises ConfigError, also where what is to be learned does not go with the dataset, or another TrajstoreError for
    a system or engine that cannot be built.
    """
    config = check_config(_read(path, overrides), str(path))
    try:
        check_training(config)
    except TrajstoreError as error:
        raise type(error)(f"{path}: {error}") from None
    return config


def load_learning(path: str | Path, overrides: Sequence[str] = ()) -> Learning:
    """The same for training, where a file may leave out what makes a dataset, and another one may be learned from."""
    raw = _read(path, overrides)
    if any(section in raw for section in GENERATING):
        return check_config(raw, str(path))
    return check_learning(raw, str(path))


def _read(path: str | Path, overrides: Sequence[str]) -> dict[str, Any]:
    try:
        raw = tomllib.loads(_text(Path(path)))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); expected a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from None
    for override in overrides:
        _apply(raw, override)
    return raw


def _text(path: Path) -> str:
    """What a file holds, without a byte order mark. Raises OSError, UnicodeDecodeError or ConfigError."""
    with path.open("rb") as file:
        if file.read(4).startswith(UTF_16):
            raise ConfigError(f"{path}: is UTF-16; save it as UTF-8, which TOML is")
    return path.read_text(encoding="utf-8-sig")


def check_learning(raw: dict[str, Any], source: str) -> Learning:
    """A Learning from plain values; `source` names their origin in errors. Raises ConfigError."""
    return _validate(Learning, raw, source)


def check_config(raw: dict[str, Any], source: str) -> Experiment:
    """An Experiment from plain values; `source` names their origin in errors. Raises as `load_config`."""
    config = _validate(Experiment, raw, source)
    try:
        _ = config.times
        _ = config.engine.resolve(config.grid.resample, config.dynamics)
    except TrajstoreError as error:
        raise type(error)(f"{source}: {error}") from None
    return config


def _validate(kind: type[Config], raw: dict[str, Any], source: str) -> Config:
    try:
        check_texts(raw)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    try:
        config = kind.model_validate(raw)
        check_held(raw, config)
    except ValidationError as error:
        problems = "\n".join(_explain(dict(problem)) for problem in error.errors())
        raise ConfigError(f"{source}: {problems}") from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    return config


def _apply(raw: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    *parents, last = path.strip().split(".")
    if not equals or not last:
        raise ConfigError(f"--set {override}: expected key.path=value, as in training.steps=100")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for parent in parents:
        raw = raw.setdefault(parent, {})
        if not isinstance(raw, dict):
            raise ConfigError(f"--set {override}: {parent} is no section")
    raw[last] = value


def _explain(problem: dict[str, Any]) -> str:
    """One line: the key, what it got, what it takes."""
    location = [str(part) for part in problem["loc"] if part not in TAGS]
    key = ".".join(location) or "the config"
    match problem["type"]:
        case "extra_forbidden":
            known = _known_keys(location[:-1])
            shown = f"; known here are {', '.join(known)}." if known else ""
            return f"{key}: unknown key{shown}{did_you_mean(location[-1], known)}"
        case "literal_error":
            meant = did_you_mean(str(problem["input"]), problem["ctx"]["expected"].split("'")[1::2])
            return (
                f"{key}: {got(problem['input'])}, expected {problem['ctx']['expected']}{meant and '.'}{meant}"
            )
        case "missing":
            return f"{key}: missing"
        case "value_error":
            return f"{key}: {problem['ctx']['error']}"
        case _:
            return f"{key}: {got(problem['input'])}, {expected(problem)}"


def _known_keys(location: list[str]) -> list[str]:
    if not location:
        return [*GENERATING, *Learning.model_fields]
    model: type[BaseModel] = Experiment
    for part in location:
        if part not in model.model_fields:
            # The name of a state or parameter.
            continue
        found = _model_in(model.model_fields[part].annotation)
        if found is None:
            return []
        model = found
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a key takes, perhaps among others."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
