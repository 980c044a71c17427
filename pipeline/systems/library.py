"""The systems that come with trajstore."""

from collections.abc import Iterator, Mapping
from functools import partial

from ...data.errors import TrajstoreError
from .chaotic import CHAOTIC
from .hamiltonian import HAMILTONIAN
from .oscillators import OSCILLATORS
from .system import System


class _Library(Mapping[str, System]):
    """Systems by name, each built when it is first asked for."""

    def __init__(self, *entries: partial[System]) -> None:
        self._entries = {entry.keywords["name"]: entry for entry in entries}
        self._built: dict[str, System] = {}

    def __getitem__(self, name: str) -> System:
        if name not in self._built:
            self._built[name] = self._entries[name]()
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


LIBRARY = _Library(*OSCILLATORS, *HAMILTONIAN, *CHAOTIC)


def get_system(name: str) -> System:
    """The system of that name. Raises TrajstoreError if the library has none."""
    if name not in LIBRARY:
        raise TrajstoreError(
            f"no system {name!r} in the library; it has {', '.join(LIBRARY)}. "
            'A system of your own needs its equations: [system] equations = { x = "-x" }'
        )
    return LIBRARY[name]
