"""Functions of expressions: made once, and by nothing else than what they are asked to be."""

import numpy as np
import pytest
import sympy
from trajstore.pipeline import System, get_system
from trajstore.pipeline.dynamics.systems.compiling import compiled
from trajstore.pipeline.dynamics.systems.effort import Effort, TooMuchAlgebraError, bounded
from trajstore.pipeline.dynamics.systems.expressions import FUNCTIONS

X, A = sympy.symbols("x a")


def test_a_function_that_is_asked_for_again_is_not_made_again():
    one, same, other = map(get_system, ("van-der-pol", "van-der-pol", "lorenz"))
    made = one.function(list(one.vector_field), "math")
    assert made is same.function(list(same.vector_field), "math")
    assert made is not other.function(list(other.vector_field), "math")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (([X], [X * A], "math"), ([X], [X + A], "math")),
        (([X], [X * A], "math"), ([A], [X * A], "math")),
        (([X], [X], "math"), ([X], [X], "numpy")),
        (([X], [0], "math"), ([X], [0.0], "math")),
        (([X], [X], "math"), ([X], (X,), "math")),
        (([X], [X, A], "math"), ([X], [[X], A], "math")),
    ],
)
def test_any_other_is_another(one, other):
    both = [compiled((sides[0], [A]), *sides[1:]) for sides in (one, other)]
    assert both[0] is not both[1]
    assert all(
        compiled((sides[0], [A]), *sides[1:]) is made for sides, made in zip((one, other), both, strict=True)
    )


def test_whether_algebra_is_too_much_does_not_depend_on_what_was_made_before():
    expressions = [sympy.sin(X) ** 3 + A * sympy.exp(X)]
    spent = []
    for _ in range(2):
        effort = Effort(10_000)
        with bounded("x", effort):
            compiled(([X], [A]), expressions, "math")
        spent.append(effort.calls - effort.left)
    assert spent[0] == pytest.approx(spent[1], rel=0.5)
    with pytest.raises(TooMuchAlgebraError), bounded("x", Effort(spent[1] // 2)):
        compiled(([X], [A]), expressions, "math")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_of_arrays_every_function_is_what_it_is_of_their_numbers(name):
    text = "acosh(1 + x)" if name == "acosh" else f"{name}(x)"
    system = System("s", {"x": f"{text} + t"}, {}, {"x": (0.1, 0.9)})
    states, times = np.random.default_rng(0).uniform(0.1, 0.9, (2, 5, 1)), np.linspace(0, 1, 5)
    slopes = system.slopes(states, np.zeros((2, 0)), times)
    one_by_one, _ = system.numeric()
    expected = [
        [one_by_one(time, state.tolist(), ()) for time, state in zip(times, row, strict=True)]
        for row in states
    ]
    np.testing.assert_allclose(slopes, expected, rtol=1e-14)
