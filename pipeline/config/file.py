"""One TOML file describes one experiment: read and checked here, with errors that name the key."""

import codecs
import tomllib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ...data.base.errors import TrajstoreError
from ...data.base.files import reason
from ...data.base.own_code import OwnCode, is_file
from ...data.shard.schema import SPLITS
from .consistency import check_training
from .experiment import Experiment
from .explain import explain
from .learning import EvaluationSection, Learning
from .plain_values import ConfigError, check_held, check_texts

Config = TypeVar("Config", bound=Learning)

# Byte order marks of UTF-16, and so of UTF-32.
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
GENERATING = (
    "system",
    "grid",
    "dataset",
    "engine",
    "initial_states",
    "initial_states_by_split",
    "observation",
)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Experiment | Learning:
    """Read a config file.

    Args:
        path: A TOML file.
        overrides: Texts "key.path=value" that take the place of what the file says.

    Returns:
        An Experiment, which `generate` and `train` take; of a file that has nothing of what makes a dataset, as for
        measured data, a Learning, which `train` takes.

    Raises:
        ConfigError: A key is wrong, or what is to be learned does not go with the dataset.
        TrajstoreError: The system or the engine cannot be built.
    """
    raw = read_toml(path, overrides)
    if raw and not any(section in raw for section in GENERATING):
        return check_learning(raw, str(path), Path(path).parent)
    return _experiment(raw, path)


def load_experiment(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """The same of a file that is to make a dataset. Raises ConfigError, too, if it lacks what makes one."""
    return _experiment(read_toml(path, overrides), path)


def _experiment(raw: dict[str, Any], path: str | Path) -> Experiment:
    config = check_config(raw, str(path), Path(path).parent)
    try:
        check_training(config)
    except TrajstoreError as error:
        raise type(error)(f"{path}: {error}") from None
    return config


def load_learning(path: str | Path, overrides: Sequence[str] = ()) -> Learning:
    """The same for training, where a file may leave out what makes a dataset, and another one may be learned from."""
    raw = read_toml(path, overrides)
    if any(section in raw for section in GENERATING):
        return check_config(raw, str(path), Path(path).parent)
    if not raw:
        raise ConfigError(
            f"{path}: is empty; expected what is to be learned, [task] and [model], and how, [training]"
        )
    return check_learning(raw, str(path), Path(path).parent)


def read_toml(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Plain values, with overrides "key.path=value". Raises ConfigError, which names the file."""
    if not isinstance(path, str | PathLike):
        raise ConfigError(f"config is {path!r:.80}; expected the path of a TOML file")
    check_overrides(overrides)
    try:
        raw = tomllib.loads(_text(Path(path)))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file") from None
    except OSError as error:
        raise ConfigError(f"{reason(error)}; a config is a TOML file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read ({error}); expected a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from None
    for override in overrides:
        _apply(raw, override)
    return raw


def check_overrides(overrides: Sequence[str]) -> None:
    """Raises ConfigError unless they are a list of texts: one text alone would be taken letter by letter."""
    if isinstance(overrides, str) or not all(isinstance(each, str) for each in overrides):
        raise ConfigError(
            f'overrides is {overrides!r:.80}; expected a list of texts, as in ["training.steps=100"]'
        )


def _text(path: Path) -> str:
    """What a file holds, without a byte order mark. Raises OSError, UnicodeDecodeError or ConfigError."""
    with path.open("rb") as file:
        if file.read(4).startswith(UTF_16):
            raise ConfigError(f"{path}: is UTF-16; save it as UTF-8, which TOML is")
    return path.read_text(encoding="utf-8-sig")


def check_learning(raw: dict[str, Any], source: str, folder: Path | None = None) -> Learning:
    """A Learning from plain values.

    source  names their origin in errors
    folder  where files of a user's own lie that it names, which may then run; None runs none, see `load_trained`

    Raises ConfigError.
    """
    return _validate(Learning, raw, source, folder)


def check_config(raw: dict[str, Any], source: str, folder: Path | None = None) -> Experiment:
    """An experiment from plain values, as a TOML file holds them.

    Args:
        raw: The sections.
        source: Where they come from, as errors name it.
        folder: Where files of the user's own lie that they name, which may then run; None runs none, see
            `load_trained`.

    Raises:
        ConfigError: A key is wrong.
        TrajstoreError: The system or the engine cannot be built.
    """
    config = _validate(Experiment, raw, source, folder)
    try:
        for split in SPLITS:
            _ = config.times_of(split)
        _ = config.engine.resolve(config.grid.resample, config.dynamics)
    except TrajstoreError as error:
        raise type(error)(f"{source}: {error}") from None
    return config


def override_evaluation(section: EvaluationSection, overrides: Sequence[str]) -> EvaluationSection:
    """[evaluation] with overrides "evaluation.KEY=VALUE". Raises ConfigError for others, or if it is none then."""
    check_overrides(overrides)
    raw = {"evaluation": section.model_dump()}
    for override in overrides:
        if not override.strip().startswith("evaluation."):
            raise ConfigError(f"--set {override}: only keys of [evaluation] are looked at here")
        _apply(raw, override)
    return check_learning(raw, "--set").evaluation


def _validate(kind: type[Config], raw: dict[str, Any], source: str, folder: Path | None) -> Config:
    try:
        check_texts(raw)
        if folder is not None:
            raw = _with_hashes(raw, folder)
        config = kind.model_validate(raw)
        check_held(raw, config)
    except ValidationError as error:
        raise ConfigError(f"{source}: {explain(error, Experiment, raw)}") from None
    except TrajstoreError as error:
        raise ConfigError(f"{source}: {error}") from None
    return config if folder is None else config.with_code(OwnCode(folder, trusted=True))


def _with_hashes(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same, with the SHA-256 of each file of a user's own that a section names."""
    found = dict(raw)
    for key, section in raw.items():
        if not (key in Learning.model_fields and isinstance(section, dict)):
            continue
        # Whatever has such a name is a section that names code: tasks, models, and learners inside of [training].
        inside = {
            part: value for part, value in section.items() if isinstance(value, dict) and "name" in value
        }
        parts = {part: _with_hash(value, folder) for part, value in inside.items()}
        found[key] = _with_hash({**section, **parts}, folder)
    return found


def _with_hash(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    name, known = section.get("name"), section.get("sha256")
    if not (isinstance(name, str) and is_file(name)):
        return section
    return {**section, "sha256": OwnCode(folder, known).fingerprint(name)}


def _apply(raw: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    *parents, last = path.strip().split(".")
    if not equals or not last:
        raise ConfigError(f"--set {override}: expected key.path=value, as in training.steps=100")
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        found = {"value": text.strip()}
    if len(found) > 1:
        raise ConfigError(f"--set {override}: expected one value; give each key a --set of its own")
    for parent in parents:
        raw = raw.setdefault(parent, {})
        if not isinstance(raw, dict):
            raise ConfigError(f"--set {override}: {parent} is no section")
    raw[last] = found["value"]
