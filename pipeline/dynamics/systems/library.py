"""The systems that come with trajstore."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ....data.base.errors import TrajstoreError
from ....data.base.suggestions import did_you_mean
from .chaotic import CHAOTIC
from .delay import DELAY
from .dysts_flows import PREFIX, flow_system
from .hamiltonian import HAMILTONIAN
from .kuramoto_sivashinsky import kuramoto_sivashinsky
from .oscillators import OSCILLATORS
from .system import System


class _Library(Mapping[str, System]):
    """Systems by name, each built when it is first asked for."""

    def __init__(self, *entries: partial[Any]) -> None:
        self._entries = {entry.keywords["name"]: entry for entry in entries}
        self._built: dict[str, System] = {}

    def __getitem__(self, name: str) -> System:
        if name not in self._built:
            self._built[name] = self._entries[name]()
        return self._built[name]

    def sized(self, name: str, size: int) -> System:
        """The system of another size. Raises TrajstoreError if it has but one."""
        entry = self._entries[name]
        if "size" not in entry.keywords:
            sized = [known for known, other in self._entries.items() if "size" in other.keywords]
            raise TrajstoreError(
                f"system.size: {name} has one size; those of any size are {', '.join(sized)}"
            )
        return entry(size=size)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


LIBRARY = _Library(
    *OSCILLATORS,
    *HAMILTONIAN,
    *CHAOTIC,
    *DELAY,
    partial(kuramoto_sivashinsky, name="kuramoto-sivashinsky", size=64),
)


def get_system(name: str, size: int | None = None) -> System:
    """A system of the library.

    Args:
        name: As `trajstore systems` lists them, or "dysts:NAME" for a flow of the package dysts.
        size: How many components it has, of systems of any size.

    Raises:
        TrajstoreError: There is none of that name or size, or dysts is not installed.
    """
    if name.startswith(PREFIX) and size is None:
        return flow_system(name.removeprefix(PREFIX))
    if name not in LIBRARY:
        raise TrajstoreError(
            f"no system {name!r} in the library; it has {', '.join(LIBRARY)}, and {PREFIX}NAME the "
            f"flows of the package dysts.{did_you_mean(name, LIBRARY)} "
            'A system of your own needs its equations: [system] equations = { x = "-x" }'
        )
    return LIBRARY[name] if size is None else LIBRARY.sized(name, size)
