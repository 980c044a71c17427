"""Systems that are given by their energy alone: x' = J grad H, derived by SymPy."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import sympy

from .effort import bounded
from .expressions import ExpressionError, parse, to_text
from .naming import InvalidSystemError, check_name
from .parameter import Parameter
from .real_calculus import derivative
from .system import System


def from_hamiltonian(
    name: str,
    hamiltonian: str,
    momenta: Mapping[str, str],
    parameters: Mapping[str, Parameter],
    initial_state: Mapping[str, tuple[float, float]],
    **more: Any,
) -> System:
    """The system of Hamilton's equations q' = dH/dp, p' = -dH/dq.

    hamiltonian  H as text, in coordinates, momenta and parameters
    momenta      coordinate -> its momentum; states are all coordinates, then all momenta
    more         what else `System` takes

    Raises ExpressionError or InvalidSystemError as `System` does.
    """
    coordinates = tuple(momenta)
    states = (*coordinates, *momenta.values())
    for state in states:
        check_name(state)
        if states.count(state) > 1:
            raise InvalidSystemError(f"{state!r}: twice among coordinates and momenta; rename one")
    try:
        with bounded(f"{hamiltonian!r:.80}"):
            energy = parse(hamiltonian, (*states, *parameters))
    except ExpressionError as error:
        raise ExpressionError(
            f"hamiltonian: {error}; momenta names the states: {', '.join(states)}"
        ) from None

    def slope(state: str) -> sympy.Expr:
        return derivative(energy, sympy.Symbol(state, real=True))

    with bounded(f"hamiltonian {hamiltonian!r:.80}"):
        equations = {q: to_text(slope(p)) for q, p in momenta.items()}
        equations |= {p: to_text(-slope(q)) for q, p in momenta.items()}
    return System(name, equations, parameters, initial_state, hamiltonian=hamiltonian, **more)


def _plane(bodies: int) -> tuple[dict[str, str], str]:
    """Coordinates and momenta, and H, of gravitating unit masses in the plane, G = 1."""
    numbers = range(1, bodies + 1)
    momenta = {f"q{axis}{number}": f"p{axis}{number}" for axis in "xy" for number in numbers}
    kinetic = " + ".join(f"{p}**2/2" for p in momenta.values())
    potential = "".join(
        f" - 1/sqrt((qx{one} - qx{other})**2 + (qy{one} - qy{other})**2)"
        for one in numbers
        for other in numbers
        if one < other
    )
    return momenta, kinetic + potential


def _around(
    centre: Sequence[float], momenta: Mapping[str, str], half: float
) -> dict[str, tuple[float, float]]:
    states = (*momenta, *momenta.values())
    return {state: (x - half, x + half) for state, x in zip(states, centre, strict=True)}


_TWO, _TWO_ENERGY = _plane(2)
_THREE, _THREE_ENERGY = _plane(3)
# Places and momenta of Chenciner and Montgomery's orbit when the third body passes the middle.
_EIGHT = (
    *(0.97000436, -0.97000436, 0.0, -0.24308753, 0.24308753, 0.0),
    *(0.466203685, 0.466203685, -0.93240737, 0.43236573, 0.43236573, -0.86473146),
)
_GREYDANUS = "Greydanus, Dzamba, Yosinski (2019), Hamiltonian neural networks, doi:10.48550/arXiv.1906.01563"

HAMILTONIAN = (
    partial(
        from_hamiltonian,
        name="mass-spring",
        hamiltonian="q**2 + p**2",
        momenta={"q": "p"},
        parameters={},
        initial_state={"q": (-1.0, 1.0), "p": (-1.0, 1.0)},
        period=3.141592653589793,
        description="A mass on a spring: circles in the phase plane.",
        reference=_GREYDANUS,
    ),
    partial(
        from_hamiltonian,
        name="pendulum",
        hamiltonian="3*(1 - cos(q)) + p**2",
        momenta={"q": "p"},
        parameters={},
        initial_state={"q": (-2.0, 2.0), "p": (-1.0, 1.0)},
        period=2.565099660323728,
        description="A pendulum without friction; the period is that of small swings.",
        reference=_GREYDANUS,
    ),
    partial(
        from_hamiltonian,
        name="double-pendulum",
        hamiltonian="(p1**2 + 2*p2**2 - 2*p1*p2*cos(q1 - q2))/(2*(1 + sin(q1 - q2)**2)) - g*(2*cos(q1) + cos(q2))",
        momenta={"q1": "p1", "q2": "p2"},
        parameters={"g": Parameter(9.81, "m/s^2", "gravity")},
        initial_state={"q1": (-3.0, 3.0), "q2": (-3.0, 3.0), "p1": (-1.0, 1.0), "p2": (-1.0, 1.0)},
        period=2.006066680710647,
        lyapunov=1.4,
        time_unit="s",
        description="Two pendulums of unit mass and length, the second hung from the first; chaotic at high energy.",
        reference="Shinbrot, Grebogi, Wisdom, Yorke (1992), Chaos in a double pendulum, doi:10.1119/1.16860",
    ),
    partial(
        from_hamiltonian,
        name="henon-heiles",
        hamiltonian="(px**2 + py**2 + x**2 + y**2)/2 + x**2*y - y**3/3",
        momenta={"x": "px", "y": "py"},
        parameters={},
        initial_state={"x": (-0.3, 0.3), "y": (-0.3, 0.3), "px": (-0.3, 0.3), "py": (-0.3, 0.3)},
        period=6.283185307179586,
        description="A star in the plane of a galaxy: regular and chaotic motion side by side below H = 1/6.",
        reference="Henon, Heiles (1964), The applicability of the third integral of motion, doi:10.1086/109234",
    ),
    partial(
        from_hamiltonian,
        name="two-body",
        hamiltonian=_TWO_ENERGY,
        momenta=_TWO,
        parameters={},
        initial_state=_around((1, -1, 0, 0, 0, 0, 0.5, -0.5), _TWO, 0.05),
        period=12.566370614359172,
        description="Two unit masses in the plane under their own gravitation, G = 1; by default near the circle.",
        reference=_GREYDANUS,
    ),
    partial(
        from_hamiltonian,
        name="three-body",
        hamiltonian=_THREE_ENERGY,
        momenta=_THREE,
        parameters={},
        initial_state=_around(_EIGHT, _THREE, 0.002),
        period=6.32591398,
        description="Three unit masses in the plane under their own gravitation, G = 1; by default they follow each "
        "other along the figure of eight, which is stable.",
        reference=f"{_GREYDANUS}; Chenciner, Montgomery (2000), A remarkable periodic solution of the three-body "
        "problem, doi:10.2307/2661357",
    ),
)
