"""Engines: against closed forms, quadrature and each other; a row depends on nothing but itself."""

import math
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from trajstore.data import Status
from trajstore.pipeline import EngineError, EngineSettings, Parameter, System, get_system, make_engine
from trajstore.pipeline.dynamics.engines.runge_kutta.scipy import ScipyEngine
from trajstore.pipeline.dynamics.engines.taylor.batches import by_neighbourhood
from trajstore.pipeline.dynamics.engines.taylor.heyoka import HeyokaEngine
from trajstore.pipeline.dynamics.engines.taylor.lanes import LANES
from trajstore.pipeline.dynamics.systems.expressions import FUNCTIONS

ENGINES = {
    "heyoka": {"name": "heyoka"},
    "DOP853": {"name": "scipy"},
    "LSODA": {"name": "scipy", "method": "LSODA"},
    "Radau": {"name": "scipy", "method": "Radau", "tolerance": 1e-10},
}
# What each may err over a few units of time: its local tolerance, times its steps, times some growth.
ACCURACY = {"heyoka": 1e-13, "DOP853": 1e-10, "LSODA": 1e-9, "Radau": 1e-7}
every_engine = pytest.mark.parametrize("engine", ENGINES)


def system(equations, parameters=None) -> System:
    values = {name: Parameter(value) for name, value in (parameters or {}).items()}
    return System("test", equations, values, dict.fromkeys(equations, (-1.0, 1.0)))


def solve(engine, model, starts, times, parameters=None, **settings_):
    starts = np.asarray(starts, dtype=np.float64)
    if parameters is None:
        parameters = np.tile(np.array(model.defaults), (len(starts), 1))
    options = {**ENGINES[engine], **settings_} if isinstance(engine, str) else engine
    return make_engine(model, EngineSettings(**options)).solve(
        starts, parameters, np.asarray(times, dtype=float)
    )


TIMES = np.linspace(0.0, 3.0, 16)


def harmonic(starts, parameters, t):
    (x, v), (omega,) = starts.T[:, :, None], parameters.T[:, :, None]
    phase = omega * t
    return [
        x * np.cos(phase) + v / omega * np.sin(phase),
        v * np.cos(phase) - x * omega * np.sin(phase),
    ]


def damped(starts, parameters, t):
    (x, v), (k, c) = starts.T[:, :, None], parameters.T[:, :, None]
    omega, decay = np.sqrt(k - c**2 / 4), np.exp(-c * t / 2)
    slope = (v + c * x / 2) / omega
    cosine, sine = np.cos(omega * t), np.sin(omega * t)
    position = decay * (x * cosine + slope * sine)
    return [position, -c / 2 * position + decay * omega * (slope * cosine - x * sine)]


def logistic(starts, parameters, t):
    (x,), (rate, room) = starts.T[:, :, None], parameters.T[:, :, None]
    return [room / (1 + (room / x - 1) * np.exp(-rate * t))]


def driven(starts, parameters, t):
    (x,) = starts.T[:, :, None]
    return [x + np.sin(t)]


CLOSED_FORMS = {
    "harmonic oscillator": ({"x": "v", "v": "-w**2*x"}, {"w": (0.5, 3.0)}, harmonic, (-2.0, 2.0)),
    "damped oscillator": (
        {"x": "v", "v": "-k*x - c*v"},
        {"k": (1.0, 5.0), "c": (0.0, 1.5)},
        damped,
        (-2.0, 2.0),
    ),
    "logistic growth": ({"x": "r*x*(1 - x/K)"}, {"r": (0.5, 2.0), "K": (1.0, 3.0)}, logistic, (0.1, 2.0)),
    "driven by time": ({"x": "cos(t)"}, {}, driven, (-2.0, 2.0)),
}


@pytest.mark.slow
@every_engine
@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_trajectories_are_those_of_the_closed_form(name, engine):
    equations, ranges, exact, box = CLOSED_FORMS[name]
    model = system(equations, {key: low for key, (low, _) in ranges.items()})
    rows = 40 if engine == "heyoka" else 6
    generator = np.random.default_rng(0)
    starts = generator.uniform(*box, (rows, len(equations)))
    # Every row has parameters of its own, so that a mix-up of rows or of parameters shows.
    parameters = np.array([generator.uniform(*limits, rows) for limits in ranges.values()]).T.reshape(
        rows, -1
    )
    solution = solve(engine, model, starts, TIMES, parameters)
    expected = np.stack(np.broadcast_arrays(*exact(starts, parameters, TIMES)), axis=-1)
    assert not solution.status.any()
    assert solution.status.dtype == np.int8
    assert solution.states.dtype == np.float64
    error = np.abs(solution.states - expected).max() / max(1.0, np.abs(expected).max())
    assert error < ACCURACY[engine]


@pytest.mark.slow
@every_engine
def test_the_first_grid_value_is_the_initial_state_itself(engine):
    starts = np.random.default_rng(0).uniform(-5, 5, (7, 2))
    solution = solve(engine, get_system("van-der-pol"), starts, TIMES)
    np.testing.assert_array_equal(solution.states[:, 0], starts)


# Each function of an argument that runs through a part of its domain, and one constant beside it.
ARGUMENTS = {"acosh": "1.2 + 0.3*t", "log": "0.2 + 0.25*t"}
PYTHON = {name: getattr(math, name, None) for name in FUNCTIONS} | {
    "pi": math.pi,
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
}


@every_engine
def test_a_parameter_that_no_equation_mentions_changes_nothing(engine):
    plain = system({"x": "-k*x"}, {"k": 2.0})
    more = system({"x": "-k*x"}, {"first": 7.0, "k": 2.0, "last": 3.0})
    expected = solve(engine, plain, [[1.0], [0.3]], TIMES).states
    np.testing.assert_array_equal(solve(engine, more, [[1.0], [0.3]], TIMES).states, expected)
    np.testing.assert_allclose(expected[0, :, 0], np.exp(-2 * TIMES), atol=ACCURACY[engine] * 10)


@pytest.mark.slow
@every_engine
def test_every_function_means_the_same_in_every_engine(engine):
    texts = {f"y_{name}": f"{name}({ARGUMENTS.get(name, '0.1 + 0.25*t')})" for name in FUNCTIONS}
    texts |= {
        "y_thirds": "t/3 + 1/3 - 2/7*t**2",
        "y_pi": "pi/4*t + pi**2",
        "y_constants": "exp(1)*t + sqrt(2) + log(3) + 2**(1/3) + erf(1/3)",
        "y_powers": "(1 + t)**1.5 + (2 + t)**(1/3) + 2**t + (1 + t)**-2",
        "y_mixed": "exp(-t)*sin(3*t)/(1 + t**2) + tanh(t - 1)*erf(t)",
        "y_time": "t*cos(t**2)",
    }
    times = np.linspace(0.0, 2.0, 5)
    solution = solve(engine, system(texts), np.zeros((1, len(texts))), times)
    assert not solution.status.any()
    for column, text in enumerate(texts.values()):
        code = compile(text, "", "eval")
        expected = [
            quad(lambda t, code=code: eval(code, {**PYTHON, "t": t}), 0, time, epsabs=1e-13, epsrel=1e-13)[0]
            for time in times
        ]
        np.testing.assert_allclose(
            solution.states[0, :, column], expected, atol=10 * ACCURACY[engine], rtol=1e-12, err_msg=text
        )


@every_engine
def test_rationals_pi_and_roots_beside_the_state_are_exact_enough(engine):
    model = system({"x": "-x/3 + pi/7 - sqrt(2)*x/10"})
    rate = 1 / 3 + math.sqrt(2) / 10
    solution = solve(engine, model, [[1.0], [-2.0]], TIMES)
    rest = math.pi / 7 / rate
    expected = rest + (np.array([1.0, -2.0])[:, None] - rest) * np.exp(-rate * TIMES)
    np.testing.assert_allclose(solution.states[:, :, 0], expected, atol=ACCURACY[engine])


@every_engine
@pytest.mark.parametrize("text", ["sqrt(x**2)", "(x**2)**0.5", "sqrt((-x)**2)"])
def test_the_root_of_a_square_is_the_absolute_value(text, engine):
    solution = solve(engine, system({"x": text}), [[1.0], [-1.0]], [0.0, 1.0])
    assert not solution.status.any()
    np.testing.assert_allclose(solution.states[:, 1, 0], [math.e, -1 / math.e], atol=100 * ACCURACY[engine])


def reference(starts, mu, times):
    """Another program at another tolerance with short steps."""

    def field(t, x):
        return [x[1], mu * (1 - x[0] ** 2) * x[1] - x[0]]

    span = (times[0], times[-1])
    options = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-13, "max_step": 0.02, "t_eval": times}
    return np.array([solve_ivp(field, span, start, **options).y.T for start in starts])


@pytest.mark.slow
def test_heyoka_is_right_to_ten_digits_for_van_der_pol():
    times = np.linspace(0.0, 2.0, 21)
    starts = np.random.default_rng(1).uniform(-5, 5, (50, 2))
    solution = solve("heyoka", get_system("van-der-pol"), starts, times)
    assert np.abs(solution.states - reference(starts, 0.1, times)).max() <= 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["DOP853", "LSODA", "Radau"])
def test_the_engines_agree_on_van_der_pol(engine):
    starts = np.random.default_rng(2).uniform(-5, 5, (5, 2))
    times = np.linspace(0.0, 10.0, 30)
    ours, theirs = (solve(name, get_system("van-der-pol"), starts, times) for name in ("heyoka", engine))
    assert np.abs(ours.states - theirs.states).max() < 100 * ACCURACY[engine]


@pytest.mark.slow
def test_relaxation_oscillations_agree_over_the_whole_grid():
    # mu = 1000 over [0, 2000]: one period is about 1614. Between its jumps a trajectory is slow; a jump takes
    # a time of about 1/mu, and on the grid a point inside one would show any error of the phase as of order 1.
    times = np.linspace(0.0, 2000.0, 2001)
    starts = np.array([[2.0, 0.0], [-1.5, 0.3], [0.5, -2.0]])
    mu = np.full((3, 1), 1000.0)
    taylor = solve("heyoka", get_system("van-der-pol"), starts, times, mu)
    lsoda = solve("LSODA", get_system("van-der-pol"), starts, times, mu)
    assert not taylor.status.any()
    assert not lsoda.status.any()
    jumps = np.diff(np.sign(taylor.states[:, :, 0]), axis=1) != 0
    assert (jumps.sum(axis=1) >= 2).all()
    difference = np.abs(taylor.states[:, :, 0] - lsoda.states[:, :, 0])
    assert difference.max() <= 1e-5
    velocity = np.abs(taylor.states[:, :, 1] - lsoda.states[:, :, 1])
    assert velocity.max() <= 1e-5


VAN_DER_POL = get_system("van-der-pol")
SHARED = {"heyoka": HeyokaEngine(VAN_DER_POL), "scipy": ScipyEngine(VAN_DER_POL, 1e-6)}
POOL = np.random.default_rng(3).uniform(-5, 5, (100, 2))
POOL_MU = np.random.default_rng(4).uniform(0.0, 2.0, (100, 1))
GRID = np.linspace(0.0, 1.0, 6)


@cache
def alone(name: str) -> np.ndarray:
    """States of the rows of POOL, each integrated by itself."""
    engine = SHARED[name]
    rows = [engine.solve(POOL[row : row + 1], POOL_MU[row : row + 1], GRID).states for row in range(100)]
    states = np.concatenate(rows)
    states.flags.writeable = False
    return states


@pytest.mark.slow
@settings(max_examples=30)
@given(data=st.data())
@pytest.mark.parametrize("engine", SHARED)
def test_a_row_is_the_same_bit_for_bit_in_any_company(engine, data):
    size = data.draw(st.integers(1, 3 * LANES + 1) if engine == "heyoka" else st.integers(1, 8))
    rows = np.array(data.draw(st.permutations(range(100))))[:size]
    solution = SHARED[engine].solve(POOL[rows], POOL_MU[rows], GRID)
    np.testing.assert_array_equal(solution.states, alone(engine)[rows])


def test_a_row_is_the_same_bit_for_bit_at_any_place_of_a_batch_and_any_number_of_rows():
    engine = SHARED["heyoka"]
    for size in (1, 2, LANES - 1, LANES, LANES + 1, 2 * LANES - 1, 100):
        np.testing.assert_array_equal(
            engine.solve(POOL[:size], POOL_MU[:size], GRID).states, alone("heyoka")[:size]
        )
    np.testing.assert_array_equal(engine.solve(POOL[::-1], POOL_MU[::-1], GRID).states, alone("heyoka")[::-1])


def test_threads_that_share_an_engine_do_not_disturb_each_other():
    engine, barrier = SHARED["heyoka"], threading.Barrier(4)

    def work(part):
        barrier.wait()
        return [engine.solve(POOL[part::4], POOL_MU[part::4], GRID).states for _ in range(10)]

    with ThreadPoolExecutor(4) as threads:
        for part, results in enumerate(threads.map(work, range(4))):
            for states in results:
                np.testing.assert_array_equal(states, alone("heyoka")[part::4])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["heyoka", "DOP853", "LSODA"])
def test_rows_that_run_into_a_pole_are_given_up_soon(engine, time_limit):
    # x'' = x^3 has the solution sqrt(2)/(t0 - t): steps shrink towards t0, and the state overflows only there.
    model = system({"x": "v", "v": "x**3"})
    pole = np.array([0.7, 1.3, 2.9, 50.0])
    starts = np.stack([np.sqrt(2) / pole, np.sqrt(2) / pole**2], axis=1)
    with time_limit(60):
        solution = solve(engine, model, starts, TIMES)
    assert solution.status.tolist() == [Status.DIVERGED] * 3 + [Status.OK]
    np.testing.assert_allclose(solution.states[3, :, 0], np.sqrt(2) / (50 - TIMES), rtol=1e-6)


def test_the_inputs_are_left_as_they_were():
    for engine in SHARED.values():
        starts, parameters = POOL[:5].copy(), POOL_MU[:5].copy()
        starts[3] = np.nan
        before = starts.copy()
        engine.solve(starts, parameters, GRID)
        np.testing.assert_array_equal(starts, before)
        np.testing.assert_array_equal(parameters, POOL_MU[:5])


BLOW_UP = system({"x": "x**2"})


@pytest.mark.slow
@every_engine
def test_a_row_that_blows_up_is_flagged_and_nan_and_its_neighbours_are_right(engine, time_limit):
    # x(t) = x0 / (1 - x0 t) has its pole at t = 1/x0, inside [0, 2] from x0 = 1.
    starts = np.array([[0.1], [1.0], [-1.0], [0.4], [3.0], [0.0]])
    with time_limit(30):
        solution = solve(engine, BLOW_UP, starts, np.linspace(0, 2, 5))
    D, O = Status.DIVERGED, Status.OK  # noqa: E741
    assert solution.status.tolist() == [O, D, O, O, D, O]
    assert np.isnan(solution.states[[1, 4]]).all()
    sound = [0, 2, 3, 5]
    expected = starts[sound] / (1 - starts[sound] * np.linspace(0, 2, 5))
    np.testing.assert_allclose(solution.states[sound, :, 0], expected, rtol=100 * ACCURACY[engine])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "sound", "failing"),
    [("x**2", (-1.0, 0.45), (0.51, 50.0)), ("sqrt(x)", (0.1, 2.0), (-2.0, -0.1))],
)
def test_rows_that_fail_do_not_change_one_bit_of_their_neighbours(text, sound, failing):
    # A root of a negative number fails at once, while the neighbours are still at their first steps.
    engine = HeyokaEngine(system({"x": text, "u": "v", "v": "-2500*u"}))
    times, nothing = np.linspace(0, 2, 9), np.empty((200, 0))
    starts = np.random.default_rng(5).uniform(*sound, (200, 3))
    apart = engine.solve(starts, nothing, times)
    assert not apart.status.any()
    for share in (2, 5, 50):
        mixed = starts.copy()
        mixed[::share, 0] = np.random.default_rng(6).uniform(*failing, len(mixed[::share]))
        together = engine.solve(mixed, nothing, times)
        assert (together.status[::share] == Status.DIVERGED).all()
        assert np.isnan(together.states[::share]).all()
        kept = np.arange(200) % share != 0
        assert not together.status[kept].any()
        np.testing.assert_array_equal(together.states[kept], apart.states[kept])


@every_engine
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_initial_state_that_is_not_finite_is_flagged(bad, engine):
    starts = np.array([[1.0, 2.0], [bad, 0.0], [0.0, bad], [0.5, -1.0]])
    solution = solve(engine, VAN_DER_POL, starts, GRID)
    assert solution.status.tolist() == [0, Status.DIVERGED, Status.DIVERGED, 0]
    assert np.isnan(solution.states[1:3]).all()
    alone = solve(engine, VAN_DER_POL, starts[[0, 3]], GRID)
    np.testing.assert_array_equal(solution.states[[0, 3]], alone.states)


@every_engine
def test_a_parameter_that_is_not_finite_is_flagged(engine, time_limit):
    parameters = np.array([[0.1], [np.nan], [np.inf], [0.1]])
    with time_limit(10):
        solution = solve(engine, VAN_DER_POL, POOL[:4], GRID, parameters)
    assert solution.status.tolist() == [0, Status.DIVERGED, Status.DIVERGED, 0]
    assert np.isnan(solution.states[1:3]).all()


# A field that is no real number at the start, or becomes none on the way: outside of its domain.
OUTSIDE = {
    "sqrt at the start": ("sqrt(x)", -1.0),
    "log at the start": ("log(x)", -1.0),
    "log of zero": ("log(x)", 0.0),
    "division by zero": ("1/x", 0.0),
    "asin": ("asin(x)", 2.0),
    "acosh": ("acosh(x)", 0.5),
    "atanh": ("atanh(x)", 1.5),
    "cube root": ("x**(1/3)", -1.0),
    "fraction of a power": ("x**0.3", -1.0),
    "power of a negative number": ("(-1)**x", 0.5),
    "power of the state": ("x**(x/2)", -0.5),
    "overflow": ("exp(x**2)", 30.0),
    "log on the way": ("log(x) - 1", 0.9),
    "root on the way": ("-1 - 0*sqrt(x) - sqrt(x)", 0.5),
    "fraction of a power on the way": ("-1 - x**0.3", 0.5),
    "pole on the way": ("-1/x", 1.0),
}


@pytest.mark.slow
@every_engine
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_row_that_leaves_the_domain_of_its_equations_is_flagged_in_reasonable_time(
    name, engine, time_limit
):
    text, start = OUTSIDE[name]
    with time_limit(10):
        solution = solve(
            engine, system({"x": text, "y": "-y"}), [[start, 1.0], [start, 2.0]], [0.0, 1.0, 2.0]
        )
    assert (solution.status > 0).all()
    assert np.isnan(solution.states).all()


@every_engine
def test_a_row_out_of_its_domain_does_not_harm_its_neighbours(engine, time_limit):
    with time_limit(10):
        solution = solve(engine, system({"x": "-sqrt(x)"}), [[4.0], [-1.0], [9.0]], [0.0, 1.0])
    # x(t) = (sqrt(x0) - t/2)^2
    assert (solution.status > 0).tolist() == [False, True, False]
    np.testing.assert_allclose(solution.states[[0, 2], 1, 0], [2.25, 6.25], atol=100 * ACCURACY[engine])


@every_engine
def test_a_row_over_its_limit_of_steps_is_flagged(engine):
    solution = solve(engine, VAN_DER_POL, POOL[:40], np.linspace(0, 200, 3), max_steps=4)
    assert (solution.status == Status.STEP_LIMIT).all()
    assert np.isnan(solution.states).all()


@pytest.mark.slow
@every_engine
def test_a_limit_of_steps_stops_only_the_rows_that_need_more(engine):
    # x'' = -w^2 x: a row of a hundred times the frequency takes about as many times the steps.
    model = system({"x": "v", "v": "-w**2*x"}, {"w": 1.0})
    times, limit = [0.0, 1.0], {"heyoka": 5, "DOP853": 10, "LSODA": 10, "Radau": 50}[engine]
    omega = np.array([[1.0], [60.0], [1.0]])
    starts = np.tile([1.0, 0.0], (3, 1))
    limited = solve(engine, model, starts, times, omega, max_steps=limit)
    free = solve(engine, model, starts, times, omega)
    assert limited.status.tolist() == [0, Status.STEP_LIMIT, 0]
    assert not free.status.any()
    np.testing.assert_array_equal(limited.states[[0, 2]], free.states[[0, 2]])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["DOP853", "LSODA", "Radau"])
@pytest.mark.parametrize("limit", [20, 40, 60, 80, 120, 200, 300, 500, 1000])
def test_a_limit_of_steps_near_a_pole_is_a_status_and_no_error(engine, limit):
    solution = solve(engine, BLOW_UP, [[1.0]], [0.0, 1.0, 2.0], max_steps=limit, tolerance=1e-8)
    assert solution.status[0] in (Status.DIVERGED, Status.STEP_LIMIT, Status.SOLVER_FAILED)
    assert np.isnan(solution.states).all()


def test_progress_is_reported_and_a_report_may_stop_the_work():
    for engine, rows in (("heyoka", 70 * LANES), ("scipy", 40)):
        told = []
        starts = np.random.default_rng(0).uniform(-1, 1, (rows, 2))
        parameters = np.full((rows, 1), 0.1)
        SHARED[engine].solve(starts, parameters, GRID, told.append)
        assert told
        assert told == sorted(told)
        assert 0 < told[0] < rows >= told[-1]

        def stop(_done):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            SHARED[engine].solve(starts, parameters, GRID, stop)
        again = SHARED[engine].solve(POOL[:3], POOL_MU[:3], GRID)
        np.testing.assert_array_equal(again.states, alone(engine)[:3])


def test_no_rows_are_no_trouble():
    for engine in SHARED.values():
        solution = engine.solve(np.empty((0, 2)), np.empty((0, 1)), GRID)
        assert solution.states.shape == (0, 6, 2)
        assert solution.status.shape == (0,)


@pytest.mark.parametrize("dimension", [1, 3, 12])
def test_systems_of_any_dimension_are_integrated(dimension):
    # x_i' = -i/10 x_i
    model = system({f"x{index}": f"-{index}*x{index}/10" for index in range(dimension)})
    starts = np.random.default_rng(0).uniform(-1, 1, (LANES + 5, dimension))
    solution = solve("heyoka", model, starts, [0.0, 0.5, 1.0])
    rates = np.arange(dimension) / 10
    expected = starts[:, None] * np.exp(-rates * np.array([0.0, 0.5, 1.0])[:, None])
    np.testing.assert_allclose(solution.states, expected, atol=1e-14)


@given(
    dimension=st.sampled_from([1, 2, 3, 7, 10, 11, 31, 62, 63, 200]), rows=st.integers(1, 200), data=st.data()
)
def test_the_order_of_integration_has_every_row_once(dimension, rows, data):
    kind = data.draw(st.sampled_from(["spread", "equal", "one component", "huge"]))
    starts = np.random.default_rng(rows).standard_normal((rows, dimension))
    starts *= {"spread": 1.0, "equal": 0.0, "one component": np.eye(dimension)[0], "huge": 1e307}[kind]
    chosen = np.flatnonzero(np.random.default_rng(dimension).random(rows) < 0.9)
    order = by_neighbourhood(starts, chosen)
    assert sorted(order.tolist()) == chosen.tolist()


def test_times_need_not_begin_at_zero_nor_be_even():
    times = np.array([1.0, 1.1, 1.7, 3.0])
    for engine in ("heyoka", "DOP853"):
        solution = solve(engine, system({"x": "cos(t)"}), [[0.0]], times)
        expected = np.sin(times) - np.sin(1.0)
        np.testing.assert_allclose(solution.states[0, :, 0], expected, atol=ACCURACY[engine])


def test_linear_resampling_is_interpolation_between_the_solvers_own_steps():
    settings_ = EngineSettings(
        name="scipy", method="RK45", tolerance=1e-3, absolute_tolerance=1e-6, max_step=0.1
    )
    engine = make_engine(VAN_DER_POL, settings_, "linear")
    times = np.linspace(0, 2, 21)
    solution = engine.solve(POOL[:5], POOL_MU[:5], times)
    for row in range(5):
        mu = POOL_MU[row, 0]
        path = solve_ivp(
            lambda t, x, mu=mu: [x[1], mu * (1 - x[0] ** 2) * x[1] - x[0]], (0, 2), POOL[row], max_step=0.1
        )
        expected = np.array([np.interp(times, path.t, values) for values in path.y]).T
        np.testing.assert_allclose(solution.states[row], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", ["DOP853", "RK45", "RK23", "LSODA", "Radau", "BDF"])
def test_every_method_of_scipy_is_the_one_that_is_used(method):
    settings_ = EngineSettings(name="scipy", method=method, tolerance=1e-5, absolute_tolerance=1e-7)
    solution = make_engine(VAN_DER_POL, settings_).solve(POOL[:2], POOL_MU[:2], GRID)
    for row in range(2):
        mu = POOL_MU[row, 0]

        def field(t, x, mu=mu):
            return [x[1], mu * (1 - x[0] ** 2) * x[1] - x[0]]

        def jacobian(t, x, mu=mu):
            return [[0, 1], [-2 * mu * x[0] * x[1] - 1, mu * (1 - x[0] ** 2)]]

        options = {"jac": jacobian} if method in ("LSODA", "Radau", "BDF") else {}
        path = solve_ivp(
            field, (0, 1), POOL[row], method=method, t_eval=GRID, rtol=1e-5, atol=1e-7, **options
        )
        np.testing.assert_allclose(solution.states[row], path.y.T, rtol=1e-9, atol=1e-9)


def test_a_tolerance_is_kept():
    coarse, fine = (
        solve({"name": "scipy", "tolerance": tolerance}, VAN_DER_POL, POOL[:3], [0, 10.0]).states
        for tolerance in (1e-4, 1e-12)
    )
    assert 1e-7 < np.abs(coarse - fine).max() < 1e-1


def test_an_engine_travels_to_another_process():
    engine = ScipyEngine(VAN_DER_POL, 1e-6)
    engine.solve(POOL[:1], POOL_MU[:1], GRID)
    again = pickle.loads(pickle.dumps(engine))
    np.testing.assert_array_equal(again.solve(POOL[:2], POOL_MU[:2], GRID).states, alone("scipy")[:2])


def test_an_engine_says_what_it_is():
    for name, engine in SHARED.items():
        described = engine.describe()
        assert described["name"] == name
        assert described["version"]
        assert described["tolerance"] > 0
        assert described["method"] in ("taylor", "DOP853")


@pytest.mark.parametrize(
    ("options", "resampling", "expected"),
    [
        ({"name": "heyoka", "method": "RK45"}, "dense", "heyoka"),
        ({"name": "heyoka", "max_step": 0.1}, "dense", "heyoka.*max_step"),
        ({"name": "heyoka", "absolute_tolerance": 1e-9}, "dense", "heyoka.*absolute_tolerance"),
        ({"name": "heyoka"}, "linear", "heyoka.*linear"),
        ({"name": "scipy", "method": "taylor"}, "dense", "scipy.*taylor.*DOP853"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(options, resampling, expected):
    with pytest.raises(EngineError, match=expected):
        make_engine(VAN_DER_POL, EngineSettings(**options), resampling)
    with pytest.raises(EngineError, match=r"RK9.*DOP853"):
        ScipyEngine(VAN_DER_POL, method="RK9")


@pytest.mark.parametrize(
    ("options", "resampling", "expected"),
    [
        ({}, "dense", ("heyoka", "taylor")),
        ({}, "linear", ("scipy", "DOP853")),
        ({"method": "taylor"}, "dense", ("heyoka", "taylor")),
        ({"method": "LSODA"}, "dense", ("scipy", "LSODA")),
        ({"max_step": 0.1}, "dense", ("scipy", "DOP853")),
        ({"name": "scipy"}, "dense", ("scipy", "DOP853")),
        ({"absolute_tolerance": 1e-9}, "dense", ("scipy", "DOP853")),
    ],
)
def test_auto_takes_the_fast_engine_that_can_do_what_is_asked(options, resampling, expected):
    settings_ = EngineSettings(**options).resolve(resampling)
    assert (settings_.name, settings_.method) == expected
    assert settings_.tolerance is not None
    assert settings_.resolve(resampling) == settings_


def test_without_heyoka_auto_takes_scipy_and_heyoka_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("trajstore.pipeline.dynamics.engines.settings.find_spec", lambda name: None)
    assert EngineSettings().resolve().name == "scipy"
    with pytest.raises(EngineError, match="pip install heyoka"):
        EngineSettings(name="heyoka").resolve()


def test_the_bits_of_a_row_do_not_depend_on_how_many_are_integrated_with_it():
    """heyoka takes few, more or many rows at a time, as there are; a dataset of 2N rows begins with the N rows."""
    oscillator = get_system("van-der-pol")
    starts = np.random.default_rng(0).uniform(-5, 5, (1000, 2))
    parameters, times = np.full((1000, 1), 0.1), np.linspace(0.0, 2.0, 21)
    few = make_engine(oscillator, EngineSettings(name="heyoka"))
    many = make_engine(oscillator, EngineSettings(name="heyoka"), rows=10_000_000)
    middle = few.solve(starts, parameters, times).states
    assert np.array_equal(few.solve(starts[:100], parameters[:100], times).states, middle[:100])
    assert np.array_equal(many.solve(starts, parameters, times).states, middle)


@pytest.mark.slow
def test_a_large_system_compiles_in_a_moment(time_limit):
    with time_limit(30):
        found = solve("heyoka", get_system("lorenz-96"), [np.arange(40.0) % 7], TIMES)
    expected = solve("DOP853", get_system("lorenz-96"), [np.arange(40.0) % 7], TIMES)
    np.testing.assert_allclose(found.states, expected.states, atol=1e-6)


def test_a_long_grid_is_gone_along_in_pieces_that_fit_together(monkeypatch):
    """Against closed forms; seven rows fill no batch, and one runs into the pole of z' = z**2 on the way."""
    pytest.importorskip("heyoka")
    from trajstore.pipeline.dynamics.engines.taylor import lanes as module

    system = System(
        "turning",
        {"x": "-y", "y": "x", "z": "z**2"},
        {},
        {"x": (-1, 1), "y": (-1, 1), "z": (-1, 1)},
    )
    rows = 7
    starts = np.random.default_rng(0).uniform(-1, -0.1, (rows, 3))
    starts[3, 2] = 1 / 50.0
    times = np.linspace(0.0, 100.0, 2001)
    whole = HeyokaEngine(system).solve(starts, np.empty((rows, 0)), times)
    monkeypatch.setattr(module, "PIECE", 64)
    pieces = HeyokaEngine(system).solve(starts, np.empty((rows, 0)), times)
    assert pieces.status.tolist() == whole.status.tolist() == [0, 0, 0, Status.DIVERGED, 0, 0, 0]
    assert np.isnan(pieces.states[3]).all()
    sound = np.arange(rows) != 3
    x, y, z = starts[sound].T[..., None]
    cos, sin = np.cos(times), np.sin(times)
    exact = np.stack([x * cos - y * sin, x * sin + y * cos, z / (1 - z * times)], axis=-1)
    np.testing.assert_allclose(pieces.states[sound], exact, atol=2e-13)
    np.testing.assert_allclose(whole.states[sound], exact, atol=2e-13)
    # Neither neighbours nor lanes matter.
    alone = HeyokaEngine(system).solve(starts[5:6], np.empty((1, 0)), times)
    np.testing.assert_array_equal(alone.states[0], pieces.states[5])


def test_steps_are_counted_over_all_pieces(monkeypatch):
    pytest.importorskip("heyoka")
    from trajstore.pipeline.dynamics.engines.taylor import lanes as module

    monkeypatch.setattr(module, "PIECE", 16)
    system, times = get_system("van-der-pol"), np.linspace(0, 200.0, 101)
    starts, parameters = np.full((2, 2), 1.0), np.full((2, 1), 0.1)
    few, many = (
        HeyokaEngine(system, max_steps=limit).solve(starts, parameters, times).status.tolist()
        for limit in (100, 10_000)
    )
    assert few == [Status.STEP_LIMIT] * 2
    assert many == [Status.OK] * 2


@pytest.mark.slow
def test_on_long_grids_a_row_fails_by_itself_whatever_its_neighbours_do(monkeypatch):
    """One row of many turns has no steps left half way, others have them where it has few, and the rest go on."""
    pytest.importorskip("heyoka")
    from trajstore.pipeline.dynamics.engines.taylor import lanes as module

    monkeypatch.setattr(module, "PIECE", 64)
    turning = System(
        "turning",
        {"x": "w*v", "v": "-w*x", "w": "0"},
        {},
        {"x": (-1, 1), "v": (-1, 1), "w": (1, 1)},
    )
    # Turns that are quick in the first third, or in the last.
    bursts = System(
        "bursts",
        {"x": "(1 + 300*exp(-(t - c)**2/10))*v", "v": "-(1 + 300*exp(-(t - c)**2/10))*x", "c": "0"},
        {},
        {"x": (-1, 1), "v": (-1, 1), "c": (0, 100)},
    )
    times = np.linspace(0.0, 100.0, 1001)
    for system, last in ((turning, [1.0, 30.0, 1.0, 300.0, 3.0]), (bursts, [15.0, 85.0, 15.0, 50.0, 85.0])):
        starts = np.array([[1.0, 0.0, value] for value in last])
        seen = set()
        for limit in (60, 400, 700, 1_000, 1_500, 2_000, 3_000, 20_000):
            engine = HeyokaEngine(system, max_steps=limit)
            together = engine.solve(starts, np.empty((5, 0)), times)
            alone = [engine.solve(starts[[row]], np.empty((1, 0)), times) for row in range(5)]
            assert together.status.tolist() == [int(one.status[0]) for one in alone]
            np.testing.assert_array_equal(together.states, np.concatenate([one.states for one in alone]))
            seen.add(tuple(together.status.tolist()))
        assert len(seen) >= 3
