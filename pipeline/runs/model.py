"""The network of a run: built by its config, kept with the code that it needs, and loaded with its weights."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ...data.base.errors import TrajstoreError
from ...data.base.files import atomic_path
from ...data.base.own_code import OwnCode, UntrustedCodeError, is_file
from ...models import MODELS, Model, make_model
from ..config.learning import Learning
from .files import RunError, load_checkpoint
from .folder import BEST, CODE, CONFIG, RunConfig

Config = TypeVar("Config", bound=Learning)
Models = Mapping[str, type[Model]]


def settled(config: Config, given: Models | None = None) -> Config:
    """The same config with every setting of its network, whose defaults are known only to its class.

    given  classes that stand for names, see `load_trained`

    Raises TrajstoreError if there is no such network, or it takes no such settings.
    """
    section = config.model
    if section.name in MODELS.names():
        return config
    found = MODELS.find(section.name, config.code_of(section), given)
    return config.model_copy(update={"model": section.settled(found, "model")})


def build_model(config: Learning, components: int, given: Models | None = None) -> Model:
    """The network of a config for states of so many components, freshly initialised."""
    section = config.model
    found = MODELS.find(section.name, config.code_of(section), given)
    return make_model(found, components + len(config.task.parameters), components, **section.settings)


def keep_code(run: Path, config: Learning) -> None:
    """Copy the files of a user's own that a config names into the folder of its run."""
    section = config.model
    if not is_file(section.name):
        return
    code = config.code_of(section)
    (run / CODE).mkdir(exist_ok=True)
    kept = replace(code, folder=run / CODE, copied=True)
    with atomic_path(kept.file(section.name)) as temporary:
        temporary.write_bytes(code.read(section.name))


def load_trained(
    path: str | Path, *, models: Models | None = None, trust_code: bool = False
) -> tuple[RunConfig, Model]:
    """Config and network, with the best weights and in evaluation mode, of a run or of one checkpoint file.

    Args:
        path: The folder of the run, or the file.
        models: Classes by the names that configs have for them, for networks that are not ours.
        trust_code: Whether to import the code that the run has or names for these; nothing else lets it run.

    Raises:
        RunError: The path is neither.
        UntrustedCodeError: The network is not ours, and neither is its class given nor its code trusted.
    """
    path = Path(path)
    run, file = (path.parent, path) if path.is_file() else (path, path / BEST)
    config = None if path.is_file() else RunConfig.load(path)
    saved = load_checkpoint(file)
    try:
        config = config or RunConfig(**saved["run"])
        learning, components = config.learning, len(config.components)
        learning = learning.with_code(OwnCode(run / CODE, trusted=trust_code, copied=True))
        _check_weights(learning, components, saved["model"], file.stat().st_size, models)
        model = build_model(learning, components, models)
        model.load_state_dict(saved["model"])
    except UntrustedCodeError:
        raise
    except TrajstoreError as error:
        raise RunError(f"{file}: {error}") from None
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError, OverflowError):
        raise RunError(f"{file}: its weights do not fit the model in {CONFIG}; train again") from None
    return config, model.eval()


def _check_weights(
    config: Learning, components: int, weights: dict[str, Tensor], size: int, given: Models | None
) -> None:
    """Raise ValueError if a config's model has not these weights, or more than a file of that size can hold.

    Nothing is allocated for it, however large the config says that the model is.
    """
    found = MODELS.find(config.model.name, config.code_of(config.model), given)
    if found.fewest_weights(**config.model.settings) > len(weights):
        raise ValueError("more layers than weights")
    with torch.device("meta"):
        expected: dict[str, Any] = build_model(config, components, given).state_dict()
    if {name: weight.shape for name, weight in weights.items()} != {
        name: weight.shape for name, weight in expected.items()
    }:
        raise ValueError("other shapes")
    if sum(weight.nbytes for weight in expected.values()) > size:
        raise ValueError("more weights than the file has bytes")
