"""The description of a system as files keep it, read back; it may be a stranger's."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ....data.base.suggestions import listed
from .naming import InvalidSystemError
from .parameter import Parameter

if TYPE_CHECKING:
    from .system import System


def read_system(
    raw: Mapping[str, Any], kind_of: Callable[[Any], "type[System] | None"], usual: str
) -> "System":
    """The system that `System.to_dict` described.

    Args:
        raw: The description.
        kind_of: Finds the class of systems of a kind.
        usual: The kind of one that does not say.

    Raises:
        InvalidSystemError: It describes none.
    """
    try:
        kind = raw.get("kind", usual)
        made = kind_of(kind)
        if made is None:
            raise InvalidSystemError(f"not the description of a system: unknown kind {kind!r:.80}")
        # JSON objects have no order, and that of the components is the states'.
        sides = raw["equations"] if made.spatial else raw["states"]
        system = made(
            name=str(raw["name"]),
            equations={str(name): str(raw["equations"][name]) for name in sides},
            parameters={name: Parameter(**value) for name, value in raw["parameters"].items()},
            initial_state={
                name: (float(low), float(high)) for name, (low, high) in raw["initial_state"].items()
            },
            time_unit=str(raw.get("time_unit", "1")),
            description=str(raw.get("description", "")),
            reference=str(raw.get("reference", "")),
            period=_number(raw, "period"),
            hamiltonian=None if raw.get("hamiltonian") is None else str(raw["hamiltonian"]),
            lyapunov=_number(raw, "lyapunov"),
        )
        if list(system.states) != list(raw["states"]):
            raise InvalidSystemError(
                f"system {system.name!r:.80} has states {listed(raw['states']):.200}; expected "
                f"{listed(system.states):.200}"
            )
        return system
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidSystemError(f"not the description of a system: {error!r}") from None


def _number(raw: Mapping[str, Any], key: str) -> float | None:
    return None if raw.get(key) is None else float(raw[key])
