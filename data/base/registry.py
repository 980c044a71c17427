"""Classes and functions by the names that configs give them: ours, those of installed packages, and a user's own."""

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from .errors import TrajstoreError
from .installing import needing_torch
from .own_code import OwnCode
from .suggestions import did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Finds the class behind a name, and imports nothing before it is asked for.

    A name is one of ours, that of an entry point in the group `trajstore.KINDs`, "package.module:Class", or
    "file.py:Class". Code of the latter two is imported only for who says that it may be.

    Args:
        kind: What the classes are, in the singular: "model"; a space is an underscore in the group.
        own: Ours, from name to "module:Class" relative to `package`.
        package: Where these modules are.
        base: "module:Class" that all of them are derived from, relative to `package`; none, if they are functions.
    """

    def __init__(self, kind: str, own: Mapping[str, str], *, package: str, base: str | None = None) -> None:
        self.kind, self._own, self._package, self._base = kind, dict(own), package, base

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        group = f"trajstore.{self.kind}s".replace(" ", "_")
        return {point.name: point for point in entry_points(group=group)}

    @property
    def own(self) -> tuple[str, ...]:
        """Names of ours."""
        return tuple(self._own)

    def names(self) -> list[str]:
        """Ours, and those of installed packages."""
        return [*self._own, *(name for name in self._installed if name not in self._own)]

    def check(self, name: str) -> None:
        """Raise TrajstoreError, in the words of a config's key, if nothing can be behind a name."""
        if ":" not in name and name not in self.names():
            what = "function" if self._base is None else "Class"
            raise TrajstoreError(
                f"got {name!r:.80}, expected {' or '.join(map(repr, self.names()))}, or a {self.kind} of your own as "
                f'"file.py:{what}" or "package.module:{what}".{did_you_mean(name, self.names())}'
            )

    def find(
        self,
        name: str,
        code: OwnCode | None = None,
        given: Mapping[str, type[T]] | None = None,
    ) -> type[T]:
        """The class of that name.

        Args:
            name: As a config has it.
            code: What lets a user's own code be imported; None refuses.
            given: Classes that stand for names, so that nothing need be imported for these.

        Raises:
            TrajstoreError: There is none, it is no such class, or its code is not to be imported.
        """
        if given and name in given:
            found: Any = given[name]
        elif name in self._own:
            module, _, attribute = self._own[name].partition(":")
            with needing_torch(f"{self.kind} {name}"):
                return getattr(import_module(f"{self._package}.{module}"), attribute)
        elif ":" in name:
            found = (code or OwnCode()).load(name, self.kind)
        elif name in self._installed:
            found = self._installed[name].load()
        else:
            known = self.names()
            raise TrajstoreError(
                f"no {self.kind} {name!r:.80}; there are {', '.join(known)}.{did_you_mean(name, known)}"
            )
        if self._base is None:
            if isinstance(found, type) or not callable(found):
                raise TrajstoreError(f"{name}: is {found!r:.80}, no {self.kind}; expected a function")
            return cast("type[T]", found)
        module, _, attribute = self._base.partition(":")
        with needing_torch(f"{self.kind} {name}"):
            base = getattr(import_module(f"{self._package}.{module}"), attribute)
        if not (isinstance(found, type) and issubclass(found, base)):
            raise TrajstoreError(
                f"{name}: is {found!r:.80}, no {self.kind}; expected a class derived from {base.__name__} of "
                f"{self._package}"
            )
        missing = [f"`{key}`" for key in dir(found) if is_abstract(getattr(found, key, None))]
        if missing:
            raise TrajstoreError(
                f"{name}: has no {', '.join(missing)}; every {self.kind} of that base, "
                f"{_base_of(found).__name__}, has to have {'it' if len(missing) == 1 else 'them'}"
            )
        return found


def is_abstract(method: object) -> bool:
    """Does a method say what a subclass has to give, and no more?"""
    return bool(getattr(method, "__isabstractmethod__", False))


def _base_of(found: type) -> type:
    """The class that asks for the first method that is missing."""
    return next(base for base in found.__mro__ if any(is_abstract(method) for method in vars(base).values()))
