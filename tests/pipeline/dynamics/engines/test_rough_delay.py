"""Delay equations with jumps and kinks: right to their tolerance by both engines, or their status says otherwise."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq
from trajstore.data import Status
from trajstore.pipeline import EngineSettings, Parameter, check_config, generate, make_engine, reintegrate
from trajstore.pipeline.dynamics.engines.base.absolute import ByComponent
from trajstore.pipeline.dynamics.systems.delay import DelaySystem

pytestmark = pytest.mark.slow

ENGINES = ("auto", "scipy")
BARS = {"auto": 2e-13, "scipy": 1e-10}


def solve(equations, start, times, parameters=None, name="auto"):
    """Status and states (T, D) of one row."""
    named = {key: Parameter(value) for key, value in (parameters or {}).items()}
    system = DelaySystem("own", equations, named, dict.fromkeys(equations, (-1.0, 1.0)))
    engine = make_engine(system, EngineSettings(name=name, max_steps=100_000))
    solution = engine.solve(np.array([start], float), np.array([system.defaults], float), np.asarray(times))
    return solution.status[0], solution.states[0]


def relay(a, b, c, d, tau, start, times):
    """x' = a x + b + c sign(x(t - tau) - d), x = start before 0: exponentials from switch to switch."""

    def after(x, side, step):
        drive = b + c * side
        return x + drive * step if a == 0 else (x + drive / a) * np.exp(a * step) - drive / a

    side, now, x, switches = np.sign(start - d), 0.0, start, []
    found = np.full(len(times), np.nan)
    while now < times[-1]:
        stop = min([*switches[:1], times[-1] + 1])
        if (x - d) * (after(x, side, stop - now) - d) < 0:
            met = now + brentq(lambda step, *so: after(*so, step) - d, 0, stop - now, (x, side), xtol=1e-15)
            switches.append(met + tau)
            stop = min(stop, switches[0])
        inside = (times >= now) & (times <= stop)
        found[inside] = after(x, side, times[inside] - now)
        x, now = after(x, side, stop - now), stop
        if switches and abs(switches[0] - now) < 1e-14:
            del switches[0]
            side = -side
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_a_relay_is_the_triangle_wave_whatever_the_delay(engine):
    times = np.linspace(0.0, 10.0, 101)
    for start, tau in ((0.5, 1.0), (1.3, 1.0), (-0.4, 0.35)):
        status, states = solve({"x": "-sign(delayed(x, tau))"}, [start], times, {"tau": tau}, engine)
        assert status == Status.OK
        np.testing.assert_allclose(
            states[:, 0], relay(0.0, 0.0, -1.0, 0.0, tau, start, times), atol=BARS[engine]
        )


@pytest.mark.parametrize("engine", ENGINES)
def test_random_relays_are_exponentials_from_switch_to_switch(engine):
    generator, times = np.random.default_rng(0), np.linspace(0.0, 8.0, 81)
    for _ in range(12 if engine == "auto" else 3):
        a, b, c = (
            generator.choice([0.0, -1.0, 0.2]),
            generator.uniform(-0.2, 0.2),
            generator.uniform(-2, -0.3),
        )
        d, tau, start = (
            generator.uniform(-0.3, 0.3),
            generator.uniform(0.3, 2.0),
            generator.uniform(-1.5, 1.5),
        )
        parameters = {"a": a, "b": b, "c": c, "d": d, "tau": tau}
        status, states = solve(
            {"x": "a*x + b + c*sign(delayed(x, tau) - d)"}, [start], times, parameters, engine
        )
        assert status == Status.OK
        expected = relay(a, b, c, d, tau, start, times)
        np.testing.assert_allclose(states[:, 0], expected, atol=10 * BARS[engine], err_msg=str(parameters))


# x' of time alone, with its integral; the delayed state goes in and cancels.
KNOWN = {
    "sign(t - 2.5)": lambda t: np.abs(t - 2.5) - 2.5,
    "sign(t - 1)": lambda t: np.abs(t - 1) - 1,
    "abs(t - 2)": lambda t: (t - 2) * np.abs(t - 2) / 2 + 2,
    "sign(sin(pi*t))": lambda t: np.abs((t + 1) % 2 - 1),
    "acos(cos(pi*t))": lambda t: _integral(lambda s: np.pi * np.abs((s + 1) % 2 - 1), t),
    "sqrt(1 - cos(pi*t))": lambda t: _integral(lambda s: np.sqrt(2) * np.abs(np.sin(np.pi * s / 2)), t),
    "abs(abs(t - 2) - 1)": lambda t: _integral(lambda s: np.abs(np.abs(s - 2) - 1), t),
    "sign(abs(t - 2) - 1)": lambda t: _integral(lambda s: np.sign(np.abs(s - 2) - 1), t),
    "sqrt(abs(t - 2))": lambda t: 2 / 3 * (np.sign(t - 2) * np.abs(t - 2) ** 1.5 + 2**1.5),
}


def _integral(function, times):
    """By Gauss's rule on pieces of 1/2, between which all corners of these functions lie."""
    nodes, weights = np.polynomial.legendre.leggauss(20)

    def upto(time):
        edges = [*np.arange(0, time, 0.5), time]
        return sum(
            (end - begin) / 2 * weights @ function((begin + end) / 2 + (end - begin) / 2 * nodes)
            for begin, end in pairwise(edges)
        )

    return np.array([upto(time) for time in times])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("text", KNOWN)
def test_jumps_and_kinks_in_time_are_met_where_they_are(text, engine):
    times = np.linspace(0.0, 5.0, 41)
    equations = {"x": text, "y": "delayed(x, 1) - 0.5*y"}
    status, states = solve(equations, [0.0, 0.3], times, name=engine)
    assert status == Status.OK
    np.testing.assert_allclose(states[:, 0], KNOWN[text](times), atol=10 * BARS[engine])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_kink_that_comes_again_a_delay_later_is_met_there_too(engine):
    # x is known in closed form, and what is made of it by integration.
    times = np.linspace(0.0, 4.0, 33)
    status, states = solve(
        {"x": "sign(t - 1)", "y": "abs(delayed(x, 0.5) - 0.25)", "z": "sign(delayed(y, 0.25) - 1)"},
        [0.0, 0.0, 0.0],
        times,
        name=engine,
    )
    fine = np.linspace(0.0, 4.0, 400_001)
    x = np.where(fine < 0.5, 0.0, np.abs(fine - 1.5) - 1.0)
    slope = np.abs(x - 0.25)
    y = np.concatenate([[0.0], np.cumsum((slope[1:] + slope[:-1]) / 2 * np.diff(fine))])
    late = np.interp(fine - 0.25, fine, y, left=0.0)
    z = np.concatenate([[0.0], np.cumsum(np.sign((late[1:] + late[:-1]) / 2 - 1) * np.diff(fine))])
    assert status == Status.OK
    np.testing.assert_allclose(states[:, 1], np.interp(times, fine, y), atol=1e-9)
    np.testing.assert_allclose(states[:, 2], np.interp(times, fine, z), atol=3e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "text",
    [
        "-sign(x) + 0.3*delayed(x, 1)",
        "-sign(x - 0.2) + 0.1*sign(delayed(x, 1))",
        "sign(1 - cos(pi*t)) - 0.1*delayed(x, 1)",
    ],
    ids=["slides", "slides elsewhere", "touches"],
)
def test_what_has_no_single_way_on_that_is_known_has_failed(engine, text):
    status, states = solve({"x": text}, [0.5], np.linspace(0.0, 4.0, 5), name=engine)
    assert status == Status.SOLVER_FAILED
    assert np.isnan(states).all()


def test_a_row_with_jumps_depends_on_no_neighbour():
    system = DelaySystem(
        "own",
        {"x": "y - sign(delayed(x, tau))", "y": "-abs(delayed(y, 0.5)) + 0.2*sign(x)"},
        {"tau": Parameter(1.0)},
        {"x": (-1.0, 1.0), "y": (-1.0, 1.0)},
    )
    starts = np.random.default_rng(0).uniform(-1, 1, (9, 2))
    parameters, times = np.linspace(0.5, 1.5, 9)[:, None], np.linspace(0.0, 4.0, 17)
    engine = make_engine(system, EngineSettings())
    whole = engine.solve(starts, parameters, times)
    for rows in ([0], [3, 8], [7, 5, 1]):
        some = engine.solve(starts[rows], parameters[rows], times)
        assert np.array_equal(some.status, whole.status[rows])
        assert np.array_equal(some.states, whole.states[rows], equal_nan=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dataset_of_relays_is_sound_when_the_other_engine_looks(engine, tmp_path):
    experiment = check_config(
        {
            "system": {
                "name": "relay-delay",
                "equations": {"x": "-sign(delayed(x, 1.0)) - 0.3*x"},
                "initial_state": {"x": [0.5, 1.5]},
            },
            "grid": {"duration": 6.0, "points": 31},
            "dataset": {"train": 4, "validation": 1, "test": 1, "dtype": "float64"},
            "engine": {"name": engine},
        },
        "config",
    )
    generate(experiment, tmp_path / "d", jobs=1)
    assert reintegrate(tmp_path / "d", 3).problems == []


@pytest.mark.parametrize("engine", ENGINES)
def test_components_that_begin_at_0_have_the_same_digits_in_any_unit(engine):
    times = np.linspace(0.0, 3.0, 13)
    found = []
    for unit in (1e-12, 1.0, 1e12):
        equations = {"x": "-sign(delayed(x, 1))", "y": f"{unit!r}*abs(x) - y"}
        status, states = solve(equations, [0.6, 0.0], times, name=engine)
        assert status == Status.OK
        found.append(states[:, 1] / unit)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=BARS[engine])
    np.testing.assert_allclose(found[2], found[1], rtol=0, atol=BARS[engine])


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_a_row_that_leaves_for_infinity_has_diverged_in_any_unit(unit):
    """x' = x^2 / unit is infinite when the time is 1."""
    equations = {"x": f"x**2/{unit!r} + {0.01 * unit!r}*sign(delayed(x, 5))"}
    status, _ = solve(equations, [unit], [0.0, 3.0])
    assert status == Status.DIVERGED


def test_the_sizes_of_components_are_seen_on_the_sides_where_a_row_begins(monkeypatch):
    sizes = []
    begin = ByComponent.begin

    def seen(self, field, times, state):
        begin(self, field, times, state)
        sizes.append(self._sizes.copy())

    monkeypatch.setattr(ByComponent, "begin", seen)
    solve({"x": "-sign(delayed(x, 1))", "y": "1e-9*abs(x) - y"}, [0.6, 0.0], [0.0, 0.5], name="scipy")
    assert sizes
    assert all(1e-16 < size[1] < 1e-9 for size in sizes)
