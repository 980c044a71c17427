"""What options of the commands of datasets take: ranges, names, dimensions, finite numbers."""

import csv
from math import isfinite
from typing import Any

import click


class Range(click.ParamType):
    """LOW:HIGH, either end may be left out."""

    name = "range"

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        low, colon, high = str(value).partition(":")
        if colon:
            try:
                return tuple(self.kind(end) if end.strip() else None for end in (low, high))
            except ValueError:
                pass
        raise click.BadParameter(f"got {value!r}, expected LOW:HIGH, :HIGH or LOW:", ctx, param)


class Where(click.ParamType):
    """PARAMETER=LOW:HIGH."""

    name = "parameter=low:high"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, equals, limits = str(value).partition("=")
        if not equals:
            self.fail(f"got {value!r}, expected PARAMETER=LOW:HIGH", param, ctx)
        return name.strip(), Range(float).convert(limits, param, ctx)


class Names(click.ParamType):
    """NAME,NAME or NEW=NAME,..., where NAME is what the file calls it; "NEW=A, B" if that has a comma."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, dict):
            return value
        names: dict[str, str] = {}
        for part in next(csv.reader([str(value)], skipinitialspace=True), []):
            new, equals, old = part.partition("=")
            if new.strip() and new.strip() in names:
                self.fail(f"got {value!r}, in which {new.strip()!r} occurs twice", param, ctx)
            names[new.strip()] = (old if equals else new).strip()
        if not names or not all(names) or not all(names.values()):
            self.fail(f"got {value!r}, expected NAME,NAME or NEW=NAME,...", param, ctx)
        return names


class Dimensions(click.ParamType):
    """Some of trajectory, time and component, in any order, time among them."""

    name = "dimensions"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        names = tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else tuple(value)
        known = ("trajectory", "time", "component")
        if "time" not in names or not set(names) <= set(known) or len(set(names)) < len(names):
            self.fail(f"got {value!r}, expected some of {', '.join(known)}, time among them", param, ctx)
        return names


class Finite(click.FloatRange):
    """A number within limits, also where NaN and infinity are within them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"got {value!r}, expected a finite number", param, ctx)
        return number
