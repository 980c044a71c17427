"""What models of Hamilton's equations are told of the data: which component goes with which, and their scales."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..data.base.errors import DataError
from .facts import DataFacts


def split_pairs(pairs: Any, size: int) -> tuple[list[int], list[int]]:
    """Places of the coordinates, and of their momenta, among so many components.

    pairs  places of each coordinate and its momentum; None is all coordinates first, then their momenta
    """
    half = size // 2
    pairs = [(place, half + place) for place in range(half)] if pairs is None else pairs
    q, p = zip(*pairs, strict=True)
    return list(q), list(p)


def named_pairs(settings: Mapping[str, Any], data: DataFacts) -> list[list[int]]:
    """Places of each pair, by the names in a config or by the equations.

    Raises DataError where they are not each component once.
    """
    pairs = data.pairs() if settings["pairs"] is None else settings["pairs"]
    found = [[data.place(name, "model.pairs") for name in pair] for pair in pairs]
    if sorted(place for pair in found for place in pair) != list(range(len(data.components))):
        raise DataError(
            f"model.pairs: got {listed(pairs)}, expected each of {', '.join(data.components)} once"
        )
    return found


def check_scales(settings: Mapping[str, Any], data: DataFacts, name: str) -> None:
    """Raise DataError where states are scaled already, or the scales in a config do not go with the components."""
    if data.normalized:
        raise DataError(
            f"task.normalize: {name} scales states by itself, for standardised ones are no canonical pairs any more; "
            "leave task.normalize out"
        )
    for key in ("centre", "scale"):
        if settings[key] is not None and len(settings[key]) != len(data.components):
            raise DataError(
                f"model.{key}: got {len(settings[key])} numbers, expected one for each of "
                f"{', '.join(data.components)}; left out, training fills it in"
            )


def listed(groups: Sequence[Sequence[Any]]) -> str:
    return ", ".join(" and ".join(map(str, group)) or "nothing" for group in groups) or "none"
