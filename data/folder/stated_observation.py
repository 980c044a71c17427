"""What a config says of the variables of its shards: which components are observed, with noise, and what is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from ..base.errors import FormatError
from ..shard.schema import CLEAN_STATE, DERIVATIVE, DIAGNOSTICS

BESIDE = {"clean": CLEAN_STATE, "derivative": DERIVATIVE}
OBSERVATION = {"components", "noise", *BESIDE}
NOISE = ("relative", "absolute")


@dataclass(frozen=True)
class Observed:
    """What `observed` finds.

    states      names of all states of the system; None where it does not name them
    components  names of those that are observed, in this order; None for all
    noise       by "relative" or "absolute" the one amount, or amounts by component; None for none
    kept        variables beside `state`: clean states, slopes, diagnostics
    """

    states: list[str] | None = None
    components: list[str] | None = None
    noise: Mapping[str, float | Mapping[str, float]] | None = None
    kept: tuple[str, ...] = ()


def observed(config: Mapping[str, Any]) -> Observed:
    """Raises FormatError, which names the key, if a config that may be a stranger's does not say it as ours do."""
    section, dataset = _section(config, "observation"), _section(config, "dataset")
    if unknown := section.keys() - OBSERVATION:
        raise FormatError(f"observation.{min(unknown)!s:.80}: unknown key")
    states = _names(_section(config, "system").get("states"), "system.states")
    components = _names(section.get("components"), "observation.components")
    if components is not None and [name for name in states or components if name in components] != components:
        raise FormatError("observation.components: expected states of the system, in its order")
    kept = []
    for key, name in BESIDE.items():
        if not isinstance(section.get(key, False), bool):
            raise FormatError(f"observation.{key}: got {section[key]!r:.80}, expected true or false")
        kept += [name] if section.get(key) else []
    noise = _noise(section.get("noise"), components or states)
    if noise is None and CLEAN_STATE in kept:
        raise FormatError("observation.clean: without noise the states are clean")
    diagnostics = _names(dataset.get("diagnostics"), "dataset.diagnostics") or []
    if unknown := set(diagnostics) - set(DIAGNOSTICS):
        raise FormatError(f"dataset.diagnostics: {min(unknown)!r:.80}, expected {', '.join(DIAGNOSTICS)}")
    return Observed(states, components, noise, (*kept, *diagnostics))


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name, {})
    if not isinstance(section, Mapping):
        raise FormatError(f"{name}: expected a section")
    return section


def _names(value: Any, key: str) -> list[str] | None:
    if value is None:
        return None
    sound = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    if not sound or len(set(value)) < len(value):
        raise FormatError(f"{key}: got {value!r:.80}, expected a list of names, each once")
    return value


def _noise(value: Any, names: list[str] | None) -> Mapping[str, float | Mapping[str, float]] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or len(value) != 1 or not value.keys() <= set(NOISE):
        raise FormatError(f"observation.noise: got {value!r:.80}, expected one of {', '.join(NOISE)}")
    (amount,) = value.values()
    by_name = isinstance(amount, Mapping)
    for number in amount.values() if by_name else [amount]:
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < inf:
            raise FormatError(f"observation.noise: got {number!r:.80}, expected a number of 0 or above")
    if by_name and names is not None and (unknown := amount.keys() - set(names)):
        raise FormatError(f"observation.noise: {min(unknown)!r:.80} is not observed")
    return value
