"""The public names of a package, each looked up on first use: importing one costs what that one needs."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from .installing import needing_torch


def face(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package, whose public names live in these modules of it.

    Args:
        package: Name of the package.
        homes: From each public name to the module that defines it, relative to the package.
    """

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with needing_torch(f"{package}.{name}"):
            return getattr(import_module(f".{homes[name]}", package), name)

    return attribute
