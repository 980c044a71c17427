"""Is a dataset the one that a config speaks of? Asked when something is to be learned from it."""

from collections.abc import Mapping
from typing import Any

from ...data.folder.manifest import Manifest
from ..dynamics.systems import Parameter, System, system_of
from .differences import differing, in_words
from .experiment import Experiment
from .learning import Learning
from .plain_values import ConfigError

# Of a parameter, what it is in a row: in its own right, of a drawn one, and where a split has other ones.
VALUES = ("value", "draw", "by_split")
# What is compared beside the system, and of the sections what is only told or stored otherwise.
SECTIONS = ("grid", "dataset", "engine", "initial_states", "initial_states_by_split", "observation")
WORDS = ("title", "license", "creator", "date", "shard_rows", "compression", "times_sha256", "diagnosed")


def disagreement(config: Learning, manifest: Manifest, where: str) -> str:
    """What a config says of a dataset that the dataset is not, as a sentence; "" where they agree.

    A config that has no sections of a dataset says nothing of it, and goes with any.

    Args:
        config: What is to be learned, perhaps with what makes a dataset.
        manifest: That of the dataset which is to be learned from.
        where: The dataset, as errors name it.

    Raises:
        ConfigError: The dataset is of another system: of other states, equations or values of parameters.
    """
    if not isinstance(config, Experiment):
        return ""
    said = config.generation()
    mend = (
        "train on the dataset that `trajstore generate` makes of this config, or leave out of the config what makes "
        "a dataset, [system], [grid], [dataset] and so on: training needs none of it"
    )
    there, here = system_of(manifest.config), config.dynamics
    if there is None:
        raise ConfigError(
            f"{where}: holds measured trajectories, whose equations nobody knows, and the config has those of "
            f"{here.name}; {mend}"
        )
    if found := differing(_law(there, here), _law(here, there)):
        raise ConfigError(f"{where}: is of another system than the config: {in_words(found)}; {mend}")
    found = differing(_made(manifest), _made_by(said))
    return f"{where}: is not as the config says, and is taken as it is: {in_words(found)}" if found else ""


def _law(system: System, other: System) -> dict[str, Any]:
    """What decides dx/dt. Of a parameter that the other has and gives no value, as one that was merged, nothing."""
    values = {name: _value(parameter) for name, parameter in system.parameters.items()}
    untold = {name for name, parameter in other.parameters.items() if not _value(parameter)}
    kept = {name: value for name, value in values.items() if name not in untold}
    return {"states": list(system.states), "equations": dict(system.equations), "parameters": kept}


def _value(parameter: Parameter) -> dict[str, Any]:
    return {key: value for key, value in parameter.to_dict().items() if key in VALUES}


def _made(manifest: Manifest) -> dict[str, Any]:
    """How a dataset was made, with the rows that it has."""
    rows = {name: split.trajectories for name, split in manifest.splits.items()}
    return _made_by({**manifest.config, "dataset": {**manifest.config["dataset"], **rows}})


def _made_by(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a config says of how a dataset is made, but for words and the way in which it is stored."""
    kept = {
        name: {key: value for key, value in config[name].items() if key not in WORDS}
        for name in SECTIONS
        if name in config
    }
    return {**kept, "system": {"initial_state": config["system"].get("initial_state")}}
