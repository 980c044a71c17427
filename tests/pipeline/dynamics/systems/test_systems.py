"""Systems: equations as text, and what follows from them."""

import json
import math

import numpy as np
import pytest
import sympy
from trajstore.data import TrajstoreError
from trajstore.data.shard.schema import VARIABLES
from trajstore.pipeline import Parameter, System, get_system
from trajstore.pipeline.dynamics.systems import LIBRARY
from trajstore.pipeline.dynamics.systems.expressions import FUNCTIONS, ExpressionError
from trajstore.pipeline.dynamics.systems.naming import InvalidSystemError

BOX = {"x": (-1.0, 1.0), "v": (-1.0, 1.0)}


def make(equations=None, parameters=None, box=None, **texts) -> System:
    equations = {"x": "v", "v": "-k*x - c*v"} if equations is None else equations
    parameters = {"k": Parameter(2.0), "c": Parameter(0.5)} if parameters is None else parameters
    return System("damped", equations, parameters, BOX if box is None else box, **texts)


@pytest.mark.parametrize("mu", [0.0, 0.1, 8.5])
def test_van_der_pol_is_the_published_equation(mu):
    # x'' - mu (1 - x^2) x' + x = 0, written out by hand.
    system = get_system("van-der-pol")
    field = system.function(list(system.vector_field), "math")
    for x1, x2 in np.random.default_rng(0).uniform(-5, 5, (20, 2)):
        first, second = field(0.0, (x1, x2), (mu,))
        assert first == x2
        assert second == pytest.approx(mu * (1 - x1 * x1) * x2 - x1, rel=1e-12, abs=1e-12)
    assert system.defaults == (0.1,)
    assert dict(system.initial_state) == {"x1": (-5.0, 5.0), "x2": (-5.0, 5.0)}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY)
def test_the_jacobian_is_the_derivative_of_the_field(name):
    system = get_system(name)
    field, jacobian = system.numeric()
    dimension = len(system.states)
    # After the states come those that are delayed, by which it does not differentiate.
    given = dimension + len(getattr(system, "delayed", ()))
    for state in np.random.default_rng(1).uniform(-2, 2, (10, given)):
        found = np.array(jacobian(0.3, state, system.defaults), dtype=float)
        for column in range(dimension):
            step = np.zeros(given)
            step[column] = 1e-5
            ahead, back = (np.array(field(0.3, state + sign * step, system.defaults)) for sign in (1, -1))
            np.testing.assert_allclose(found[:, column], (ahead - back) / 2e-5, atol=1e-8)


def test_every_function_has_a_derivative_that_can_be_evaluated():
    for name in FUNCTIONS:
        argument = "1.5 + x" if name == "acosh" else "x"
        system = make({"x": f"{name}({argument})"}, {}, {"x": (0, 1)})
        field = system.function(list(system.vector_field), "math")
        jacobian = system.function(system.jacobian.tolist(), "math")
        slope = (field(0, [0.3 + 1e-6], [])[0] - field(0, [0.3 - 1e-6], [])[0]) / 2e-6
        assert jacobian(0, [0.3], [])[0][0] == pytest.approx(slope, rel=1e-6), name


@pytest.mark.parametrize(
    "text", ["sqrt(x**2)", "(x**2)**0.5", "sqrt(x**2 + 0*t)*x", "sqrt((x*v)**2)", "(x**4)**(1/4)"]
)
def test_roots_of_squares_have_a_jacobian_on_both_sides_of_zero(text):
    system = make({"x": text, "v": "x"}, {})
    jacobian = system.function(system.jacobian.tolist(), "math")
    field = system.function(list(system.vector_field), "math")
    for x in (-0.7, 0.7):
        slope = (field(0, [x + 1e-6, 0.3], [])[0] - field(0, [x - 1e-6, 0.3], [])[0]) / 2e-6
        assert float(jacobian(0, [x, 0.3], [])[0][0]) == pytest.approx(slope, rel=1e-6)


def test_numpy_functions_take_whole_arrays():
    system = make({"x": "v", "v": "sin(x)*t - k*x + pi/4"}, {"k": Parameter(2.0)})
    field = system.function(list(system.vector_field), "numpy")
    states = np.random.default_rng(0).standard_normal((2, 50))
    _, found = field(0.7, states, (2.0,))
    np.testing.assert_allclose(found, np.sin(states[0]) * 0.7 - 2 * states[0] + math.pi / 4)


def test_states_and_parameters_keep_their_order():
    system = make(
        {"b": "a", "a": "z*b + y*a"}, {"z": Parameter(1.0), "y": Parameter(2.0)}, {"a": (0, 1), "b": (2, 3)}
    )
    assert system.states == ("b", "a")
    assert system.defaults == (1.0, 2.0)
    assert system.function(list(system.vector_field), "math")(0.0, (10.0, 100.0), (1.0, 2.0)) == [
        100.0,
        210.0,
    ]


@pytest.mark.parametrize(
    "name", ["E", "I", "S", "N", "Q", "O", "beta", "gamma", "zeta", "Abs", "oo", "re", "d_x"]
)
def test_names_that_mean_something_to_sympy_are_names_like_any_other(name):
    system = make({name: f"-2*{name}"}, {}, {name: (0.0, 1.0)})
    assert system.function(list(system.vector_field), "math")(0.0, [3.0], []) == [-6.0]


def test_a_system_survives_its_dictionary():
    system = make(time_unit="s", description="a spring", reference="Hooke (1678)")
    again = System.from_dict(system.to_dict())
    assert again == system
    assert again.vector_field == system.vector_field


def test_latex_has_a_line_for_each_component():
    lines = get_system("van-der-pol").latex()
    assert lines[0] == r"\dot{x_{1}} = x_{2}"
    assert r"\mu" in lines[1]
    assert "x_{1}^{2}" in lines[1]


@pytest.mark.parametrize("name", LIBRARY)
def test_systems_of_the_library_can_be_integrated_read_and_cited(name):
    system = get_system(name)
    assert system.name == name
    assert system.description
    # Books of before have no DOI.
    assert "doi:" in system.reference or "isbn:" in system.reference
    assert System.from_dict(system.to_dict()) == system
    if system.spatial:
        return
    used = set().union(*(expression.free_symbols for expression in system.vector_field))
    used |= {sympy.Symbol(str(delay), real=True) for delay in getattr(system, "delays", ())}
    assert set(system.parameter_symbols) <= used
    assert all(isinstance(expression, sympy.Expr) for expression in system.vector_field)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"equations": {}}, "no equations"),
        ({"box": {"x": (0, 1)}}, "initial_state has x, expected.*x, v"),
        ({"box": {**BOX, "y": (0, 1)}}, "initial_state has x, v, y"),
        ({"parameters": {"x": Parameter(1.0)}}, "x: both a state and a parameter"),
        ({"equations": {"x": "v", "v": "-q*x"}}, "equation of v.*'q' is unknown.*x, v, k, c"),
        ({"equations": {"x": "v", "v": "x +"}}, "equation of v.*x +"),
        ({"parameters": {"sin": Parameter(1.0)}}, "'sin' already means something"),
        ({"parameters": {"t": Parameter(1.0)}}, "'t' already means something"),
        ({"parameters": {"pi": Parameter(1.0)}}, "'pi' already means something"),
        ({"parameters": {"lambda": Parameter(1.0)}}, "'lambda' is a keyword"),
        ({"parameters": {"2k": Parameter(1.0)}}, "'2k' is no name"),
        ({"parameters": {"_k": Parameter(1.0)}}, "'_k' is no name"),
        ({"parameters": {"k k": Parameter(1.0)}}, "'k k' is no name"),
        ({"parameters": {"k/../k": Parameter(1.0)}}, "is no name"),
        ({"parameters": {"κ": Parameter(1.0)}}, "is no name"),
        ({"parameters": {"k\n": Parameter(1.0)}}, "is no name"),
        ({"parameters": {"": Parameter(1.0)}}, "is no name"),
        ({"parameters": {"k" * 65: Parameter(1.0)}}, "is no name"),
        *(
            ({"parameters": {name: Parameter(1.0)}}, f"'{name}' is a variable of the file")
            for name in VARIABLES
        ),
    ],
)
def test_a_system_that_does_not_hang_together_is_refused(changes, expected):
    with pytest.raises((InvalidSystemError, ExpressionError), match=expected):
        make(**changes)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"name": "x"},
        {"name": "x", "equations": [], "parameters": {}, "initial_state": {}},
        {"name": "x", "equations": {"x": "1"}, "parameters": {}, "initial_state": {"x": [1]}},
        {"name": "x", "equations": {"x": "1"}, "parameters": {}, "initial_state": {"x": ["a", "b"]}},
        {"name": "x", "equations": {"x": "1"}, "parameters": {"k": {}}, "initial_state": {"x": [0, 1]}},
        {"name": "x", "equations": {"x": "1"}, "parameters": {"k": 1.0}, "initial_state": {"x": [0, 1]}},
        {"name": "x", "equations": {"x": "1"}, "parameters": None, "initial_state": {"x": [0, 1]}},
        {
            "name": "x",
            "equations": {"x": "__import__('os')"},
            "parameters": {},
            "initial_state": {"x": [0, 1]},
        },
        {"name": "x", "equations": {"x": 1.5, "y": None}, "parameters": {}, "initial_state": {"x": [0, 1]}},
    ],
)
def test_what_is_no_description_of_a_system_is_refused(raw):
    with pytest.raises(TrajstoreError):
        System.from_dict(raw)


@pytest.mark.parametrize("raw", [None, 1, "x", []])
def test_what_is_no_dictionary_at_all_is_refused(raw):
    with pytest.raises(InvalidSystemError):
        System.from_dict(raw)


def test_an_unknown_system_is_refused_with_the_known_ones():
    with pytest.raises(TrajstoreError, match=r"lorentz.*van-der-pol.*equations"):
        get_system("lorentz")


def test_the_order_of_the_components_is_that_of_the_equations_and_survives_json():
    """JSON with sorted keys, as in a shard, must not exchange components; nor may the order of the box."""
    boxes = {"x": (0.0, 1.0), "a": (2.0, 3.0)}
    system = System("own", {"x": "a", "a": "-x"}, {}, dict(reversed(boxes.items())))
    assert list(system.initial_state.items()) == list(boxes.items())
    again = System.from_dict(json.loads(json.dumps(system.to_dict(), sort_keys=True)))
    assert again.states == ("x", "a")
    assert list(again.initial_state.items()) == list(boxes.items())
