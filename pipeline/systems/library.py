"""The systems that come with trajstore."""

from ...data.errors import TrajstoreError
from .system import Parameter, System

VAN_DER_POL = System(
    name="van-der-pol",
    equations={"x1": "x2", "x2": "mu*(1 - x1**2)*x2 - x1"},
    parameters={"mu": Parameter(0.1, meaning="strength of the nonlinear damping")},
    initial_state={"x1": (-5.0, 5.0), "x2": (-5.0, 5.0)},
    description=(
        "The van der Pol oscillator: negative damping near the origin, positive far from it, and so one "
        "attracting limit cycle for every mu > 0; stiff for large mu."
    ),
    reference="van der Pol (1926), On relaxation-oscillations, doi:10.1080/14786442608564127",
)

LIBRARY: dict[str, System] = {system.name: system for system in (VAN_DER_POL,)}


def get_system(name: str) -> System:
    """The system of that name. Raises TrajstoreError if the library has none."""
    if name not in LIBRARY:
        raise TrajstoreError(
            f"no system {name!r} in the library; it has {', '.join(LIBRARY)}. "
            'A system of your own needs its equations: [system] equations = { x = "-x" }'
        )
    return LIBRARY[name]
