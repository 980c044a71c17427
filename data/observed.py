"""What a config says of the variables of its shards: which components are observed, with noise, and what is kept."""

from collections.abc import Mapping
from typing import Any

from .format import CLEAN_STATE, DERIVATIVE, DIAGNOSTICS


def observed_components(config: Mapping[str, Any]) -> list[str] | None:
    """Names of the observed components where they are not all states of the system. Raises TypeError if not names."""
    names = _section(config, "observation").get("components")
    return None if names is None else [str(name) for name in names]


def noisy(config: Mapping[str, Any]) -> bool:
    """Has `state` observation noise in it?"""
    return _section(config, "observation").get("noise") is not None


def stored_variables(config: Mapping[str, Any]) -> set[str]:
    """Which of the optional variables that hold states, slopes and diagnostics the shards have."""
    observation = _section(config, "observation")
    asked = {CLEAN_STATE: observation.get("clean"), DERIVATIVE: observation.get("derivative")}
    diagnostics = _section(config, "dataset").get("diagnostics") or ()
    return {name for name, wanted in asked.items() if wanted} | {
        name for name in DIAGNOSTICS if name in diagnostics
    }


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name, {})
    if not isinstance(section, Mapping):
        raise TypeError(f"{name} is no section")
    return section
