"""Which state is whose momentum."""

import pytest
from trajstore.pipeline import System, get_system
from trajstore.pipeline.dynamics.systems.canonical import canonical_pairs
from trajstore.pipeline.dynamics.systems.hamiltonian import HAMILTONIAN
from trajstore.pipeline.dynamics.systems.naming import InvalidSystemError
from trajstore.pipeline.dynamics.systems.parameter import Parameter


@pytest.mark.slow
@pytest.mark.parametrize("known", HAMILTONIAN, ids=lambda made: made.keywords["name"])
def test_the_pairs_of_the_library_are_those_that_it_was_made_of(known):
    system = get_system(known.keywords["name"])
    assert dict(canonical_pairs(system, system.states)) == dict(known.keywords["momenta"])


def made(
    equations: dict[str, str], energy: str | None, parameters: dict[str, Parameter] | None = None
) -> System:
    box = dict.fromkeys(equations, (-1.0, 1.0))
    return System("own", equations, parameters or {}, box, hamiltonian=energy)


@pytest.mark.slow
def test_equations_are_read_by_what_they_mean_and_states_come_in_any_order():
    system = made(
        {"b": "-k*sin(2*x)/2", "y": "(b + c)/m - b/m", "x": "b/m", "c": "-(y + 1)**2 + 2*y + 1"},
        "b**2/(2*m) + c**2/(2*m) + k*sin(x)**2/2 + y**3/3",
        {"m": Parameter(2.0), "k": Parameter(3.0)},
    )
    assert dict(canonical_pairs(system, system.states)) == {"x": "b", "y": "c"}


@pytest.mark.parametrize(
    ("equations", "energy", "said"),
    [
        ({"x": "v", "v": "-x"}, None, "states no energy"),
        ({"x": "2*v", "v": "-x"}, "(x**2 + v**2)/2", "no state goes with 'x'"),
        ({"x": "v", "v": "-x - 0.1*v"}, "(x**2 + v**2)/2", "no state goes with 'x'"),
        ({"x": "v", "v": "-x", "z": "0"}, "(x**2 + v**2)/2", "no state goes with 'z'"),
        ({"x": "v", "v": "-x*cos(t)"}, "v**2/2 + cos(t)*x**2/2", "depends on time"),
    ],
)
def test_what_is_not_canonical_is_refused_with_the_state(equations, energy, said):
    system = made(equations, energy)
    with pytest.raises(InvalidSystemError, match=said):
        canonical_pairs(system, system.states)


def test_a_hidden_partner_is_named():
    with pytest.raises(InvalidSystemError, match="'py' goes with 'y', and is hidden"):
        canonical_pairs(get_system("henon-heiles"), ("x", "px", "y"))
