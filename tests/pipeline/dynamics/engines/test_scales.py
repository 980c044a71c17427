"""Errors are measured by each component's own size: whatever its unit, and whatever its neighbours'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expi
from trajstore.data import Status
from trajstore.pipeline import EngineSettings, Parameter, System, make_engine
from trajstore.pipeline.dynamics.diagnostics import lyapunov_exponents
from trajstore.pipeline.dynamics.engines.runge_kutta.scipy import METHODS
from trajstore.pipeline.dynamics.engines.taylor.heyoka import HeyokaEngine
from trajstore.pipeline.dynamics.systems.delay import DelaySystem

pytestmark = pytest.mark.slow

FACTORS = st.sampled_from([10.0**power for power in (-15, -9, -6, -3, 0, 3, 6, 9, 15)])


def system(equations, *parameters) -> System:
    values = {name: Parameter(1.0) for name in parameters}
    return System("test", equations, values, dict.fromkeys(equations, (-1.0, 1.0)))


def own_error(states, exact):
    """The largest error of each row (N, T, D), relative to the largest value of each component along it."""
    scale = np.abs(exact).max(axis=1, keepdims=True)
    return (np.abs(states - exact) / np.where(scale > 0, scale, 1.0)).max(axis=(1, 2))


# Of random coefficients each row is a system of its own, and of the three scales it is that system in other units.
NAMES = ("x", "y", "z")
FAMILY = system(
    {
        name: f"s{name}*(a{name}*sin({after}/s{after}) - b{name}*tanh({before}/s{before})*cos({name}/s{name}) "
        f"- ({name}/s{name})**3/5)"
        for name, after, before in zip(NAMES, "yzx", "zxy", strict=True)
    },
    *(f"s{name}" for name in NAMES),
    *(f"a{name}" for name in NAMES),
    *(f"b{name}" for name in NAMES),
)
TIMES = np.linspace(0.0, 6.0, 25)
ENGINES: dict[str, object] = {}


def engine(model, **options):
    key = repr((model.equations, sorted(options.items())))
    if key not in ENGINES:
        ENGINES[key] = make_engine(model, EngineSettings(**options))
    return ENGINES[key]


def rows_of_the_family(seed, factors):
    """Starts (N, 3) and coefficients (N, 6) of rows at factors (N, 3), a tenth of them with a component at 0."""
    generator = np.random.default_rng(seed)
    starts = generator.uniform(-2, 2, factors.shape)
    starts[generator.random(factors.shape) < 0.1] = 0.0
    return starts, generator.uniform(-2, 2, (len(factors), 6))


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), same=st.booleans())
def test_a_system_in_other_units_has_the_same_digits(seed, same):
    """Random systems, each component in a unit of its own or all in one, from 1e-15 to 1e15."""
    solver = engine(FAMILY)
    powers = np.random.default_rng([seed, 1]).uniform(-15, 15, (20, 1 if same else 3))
    factors = np.broadcast_to(10.0**powers, (20, 3))
    starts, coefficients = rows_of_the_family(seed, factors)
    plain = solver.solve(starts, np.hstack([np.ones((20, 3)), coefficients]), TIMES)
    scaled = solver.solve(starts * factors, np.hstack([factors, coefficients]), TIMES)
    assert not plain.status.any()
    assert not scaled.status.any()
    assert own_error(scaled.states / factors[:, None], plain.states).max() < 1e-12


def test_the_plain_units_are_right_themselves():
    factors = np.ones((4, 3))
    starts, coefficients = rows_of_the_family(7, factors)
    parameters = np.hstack([factors, coefficients])
    ours = engine(FAMILY).solve(starts, parameters, TIMES)
    theirs = engine(FAMILY, name="scipy", tolerance=1e-13).solve(starts, parameters, TIMES)
    assert own_error(ours.states, theirs.states).max() < 1e-10


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_scipy_has_the_same_digits_in_other_units(method):
    tolerance = {"DOP853": 1e-11, "LSODA": 1e-10}.get(method, 1e-6)
    factors = 10.0 ** np.array([[-15.0, 15.0, 0.0], [-9.0, -9.0, -9.0], [3.0, -3.0, -12.0]])
    starts, coefficients = rows_of_the_family(3, factors)
    starts[0, 0] = starts[1, 2] = 0.0
    solver = engine(FAMILY, name="scipy", method=method, tolerance=tolerance)
    plain = engine(FAMILY).solve(starts, np.hstack([np.ones((3, 3)), coefficients]), TIMES)
    scaled = solver.solve(starts * factors, np.hstack([factors, coefficients]), TIMES)
    assert not scaled.status.any()
    assert own_error(scaled.states / factors[:, None], plain.states).max() < 1000 * tolerance


def mackey_glass(unit: float) -> DelaySystem:
    field = f"0.2*delayed(x, tau)/(1 + (delayed(x, tau)/{unit!r})**10) - 0.1*x"
    return DelaySystem("delayed", {"x": field}, {"tau": Parameter(17.0)}, {"x": (0.1, 1.2)})


@pytest.mark.parametrize("options", [{}, {"name": "scipy", "tolerance": 1e-10}], ids=["collocation", "scipy"])
@pytest.mark.parametrize("unit", [1e-15, 1e-6, 1e-3, 1e9])
def test_a_delay_equation_in_other_units_has_the_same_digits(options, unit):
    starts, tau, times = np.array([[0.5], [1.1]]), np.full((2, 1), 17.0), np.linspace(0.0, 60.0, 31)
    plain = engine(mackey_glass(1.0)).solve(starts, tau, times)
    scaled = engine(mackey_glass(unit), **options).solve(starts * unit, tau, times)
    assert not scaled.status.any()
    assert own_error(scaled.states / unit, plain.states).max() < (1e-8 if options else 1e-12)


@pytest.mark.parametrize("options", [{}, {"name": "scipy", "tolerance": 1e-11}], ids=["heyoka", "scipy"])
@pytest.mark.parametrize("start", [1e-20, 1e-8, 1.0])
def test_a_row_that_grows_from_next_to_nothing_has_all_its_digits(options, start):
    """Logistic growth to 1: what is lost at the start is lost in the end."""
    times = np.linspace(0.0, 60.0, 7)
    solution = engine(system({"x": "x*(1 - x)"}), **options).solve(
        np.array([[start]]), np.empty((1, 0)), times
    )
    exact = 1 / (1 + (1 / start - 1) * np.exp(-times))
    assert np.abs(solution.states[0, :, 0] / exact - 1).max() < (1e-8 if options else 1e-13)


@pytest.mark.parametrize(
    "options", [{}, {"name": "scipy"}, {"name": "scipy", "method": "Radau", "tolerance": 1e-8}], ids=str
)
def test_components_that_begin_at_zero_or_stay_there_are_right(options):
    """A chain of integrals of 1e-9, and one component that is 0 for ever."""
    model = system({"a": "1e-9", "b": "1e-3*a", "c": "1e-3*b", "zero": "c*zero", "idle": "0"})
    times = np.linspace(0.0, 10.0, 11)
    solution = engine(model, **options).solve(np.array([[0.0, 0.0, 0.0, 0.0, 5e-7]]), np.empty((1, 0)), times)
    powers = [1e-9 * times, 1e-12 * times**2 / 2, 1e-15 * times**3 / 6, 0 * times, 0 * times + 5e-7]
    exact = np.stack(powers, axis=-1)[None]
    assert not solution.status.any()
    assert own_error(solution.states, exact).max() < (1e-13 if not options else 1e-6)


def test_a_small_and_quick_component_is_right_beside_a_large_and_slow_one():
    """Also where the large one is seen on no point of the grid."""
    model = system({"big": "m*cos(t)", "x": "50*v", "v": "-50*x"}, "m")
    starts = np.array([[0.0, 1e-6, 0.0]])
    for times in (np.linspace(0.0, 2 * np.pi, 41), np.array([0.0, 2 * np.pi])):
        solution = engine(model).solve(starts, np.array([[1e6]]), times)
        exact = np.stack(
            [1e6 * np.sin(times), 1e-6 * np.cos(50 * times), -1e-6 * np.sin(50 * times)], axis=-1
        )
        assert not solution.status.any()
        np.testing.assert_allclose(solution.states[0, :, 1:], exact[:, 1:], rtol=0, atol=1e-6 * 1e-12)


ROBERTSON = system({"a": "-0.04*a + 1e4*b*c", "b": "0.04*a - 1e4*b*c - 3e7*b**2", "c": "3e7*b**2"})


def test_robertsons_second_species_is_as_right_as_the_others():
    """Hairer and Wanner's problem; at a tolerance of 1e-4 it may err by about as much of itself, not of 1."""
    times = np.array([0.0, 0.04, 0.4, 4.0])
    start, none = np.array([[1.0, 0.0, 0.0]]), np.empty((1, 0))
    ours = engine(ROBERTSON).solve(start, none, times).states
    assert np.abs(ours.sum(axis=2) - 1).max() < 1e-13
    for tolerance in (1e-10, 1e-4):
        for method in ("LSODA", "Radau", "BDF"):
            theirs = engine(ROBERTSON, name="scipy", method=method, tolerance=tolerance).solve(
                start, none, times
            )
            assert not theirs.status.any()
            assert own_error(theirs.states, ours).max() < 100 * tolerance


@given(factor=FACTORS)
@settings(max_examples=9)
def test_kinks_and_jumps_are_met_in_any_unit(factor):
    """A ball between slopes, v' = -k*sign(x): from rest at x0 it swings with period 4 sqrt(2 x0/k)."""
    model = system({"x": "v", "v": "-k*sign(x)"}, "k")
    heights = np.array([0.5, 1.0, 2.0])
    quarter = np.sqrt(2 * heights)
    times = np.linspace(0.0, 9.0, 46)
    solution = engine(model).solve(
        np.stack([heights, 0 * heights], axis=1) * factor, np.full((3, 1), factor), times
    )
    phase = np.mod(times + quarter[:, None], 4 * quarter[:, None])
    half, within = np.divmod(phase, 2 * quarter[:, None])
    sign, late = 1 - 2 * half, within - quarter[:, None]
    exact = np.stack([sign * (heights[:, None] - late**2 / 2), -sign * late], axis=-1)
    assert not solution.status.any()
    assert own_error(solution.states / factor, exact).max() < 1e-12


def test_a_row_is_the_same_bit_for_bit_whatever_the_sizes_of_its_neighbours():
    solver = HeyokaEngine(FAMILY)
    factors = 10.0 ** np.random.default_rng(0).uniform(-12, 12, (24, 3))
    factors[::3] = 1.0
    starts, coefficients = rows_of_the_family(5, factors)
    starts, parameters = starts * factors, np.hstack([factors, coefficients])
    together = solver.solve(starts, parameters, TIMES)
    order = np.random.default_rng(1).permutation(24)
    np.testing.assert_array_equal(
        solver.solve(starts[order], parameters[order], TIMES).states, together.states[order]
    )
    for row in range(24):
        alone = solver.solve(starts[[row]], parameters[[row]], TIMES)
        np.testing.assert_array_equal(alone.states[0], together.states[row])


def test_a_row_of_ordinary_size_is_integrated_once_and_keeps_its_bits(monkeypatch):
    model, starts = system({"x": "v", "v": "-x"}), np.array([[1.0, 0.0], [0.3, -2.0], [0.0, 1e3]])
    expected = HeyokaEngine(model).solve(starts, np.empty((3, 0)), TIMES).states
    monkeypatch.setattr(HeyokaEngine, "_scaled", lambda self: pytest.fail("measured in scales of its own"))
    found = HeyokaEngine(model).solve(starts, np.empty((3, 0)), TIMES)
    np.testing.assert_array_equal(found.states, expected)


@pytest.mark.parametrize("options", [{}, {"name": "scipy"}], ids=["heyoka", "scipy"])
@pytest.mark.parametrize("factor", [1e-15, 1.0, 1e15])
def test_what_ends_a_row_does_not_depend_on_its_unit(options, factor, time_limit):
    """A pole, and a state that leaves the domain of its root."""
    pole, root = system({"x": "x**2/k"}, "k"), system({"x": "-k - 0.1*sqrt(k*x)"}, "k")
    starts, k = np.array([[1.0], [0.1]]) * factor, np.full((2, 1), factor)
    with time_limit(60):
        solution = engine(pole, **options).solve(starts, k, np.linspace(0.0, 2.0, 5))
        assert solution.status.tolist() == [Status.DIVERGED, Status.OK]
        np.testing.assert_allclose(
            solution.states[1, :, 0] / factor, 0.1 / (1 - 0.1 * np.linspace(0, 2, 5)), rtol=1e-9
        )
        assert engine(root, **options).solve(starts, k, np.linspace(0.0, 2.0, 5)).status.all()


def test_an_absolute_tolerance_that_is_stated_is_taken_as_it_is():
    model, small = system({"x": "v", "v": "-x"}), np.array([[1e-6, 0.0]])
    errors = []
    for options in ({"absolute_tolerance": 1e-7}, {"absolute_tolerance": 1e-10}, {}):
        solver = engine(model, name="scipy", tolerance=1e-10, **options)
        states = solver.solve(small, np.empty((1, 0)), TIMES).states[0, :, 0]
        errors.append(np.abs(states / 1e-6 - np.cos(TIMES)).max())
    # The same number as the tolerance is what is meant by none.
    assert errors[0] > 1e-3
    assert errors[1] == errors[2] < 1e-7


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_a_lyapunov_exponent_does_not_depend_on_the_unit(unit):
    """A pendulum that a force drives, in its own unit and in others."""
    model = system({"q": "p", "p": "-k*sin(q/k) - 0.1*p + 1.2*k*cos(0.7*t)"}, "k")
    times, rows = np.linspace(0.0, 20.0, 41), np.arange(6)
    starts = np.random.default_rng(0).uniform(-1, 1, (6, 2))
    found = []
    for k in (1.0, unit):
        parameters = np.full((6, 1), k)
        states = engine(model).solve(starts * k, parameters, times).states
        found.append(lyapunov_exponents(model, EngineSettings(), states, parameters, times, 0, "train", rows))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-9)


def test_a_component_that_moves_late_and_little_is_right():
    """Nothing of it is seen in the first step."""
    model = system({"x": "v", "v": "-x", "late": "1e-12*(1 + sign(t - 5))*(x**2 + v**2)"})
    times = np.linspace(0.0, 10.0, 11)
    solution = engine(model).solve(np.array([[1.0, 0.0, 0.0]]), np.empty((1, 0)), times)
    assert not solution.status.any()
    np.testing.assert_allclose(solution.states[0, :, 2], 2e-12 * np.maximum(times - 5, 0), rtol=0, atol=1e-24)


@pytest.mark.parametrize("duration", [1.9, 2.0])
def test_a_scale_that_changes_with_the_last_step_is_not_that_of_the_last_point(duration):
    # Seed 9995 of `make properties`: a step may end by 1e-20 before the end of the grid, where x had grown 16 times.
    model = system({"x": "exp(y) + sign(t)", "y": "2*y + 0.3"})
    starts = np.stack([np.zeros(40), np.linspace(1.2, 1.6, 40)], axis=1)
    times = np.linspace(0.0, duration, 21)
    solution = engine(model).solve(starts, np.empty((40, 0)), times)
    assert (solution.status == Status.OK).all()
    c = starts[:, 1:] + 0.15
    exact = np.exp(-0.15) / 2 * (expi(c * np.exp(2 * times)) - expi(c)) + times
    np.testing.assert_allclose(solution.states[:, 1:, 0], exact[:, 1:], rtol=1e-11)
