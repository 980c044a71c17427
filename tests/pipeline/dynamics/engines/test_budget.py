"""Rows that never end: each has a budget of steps by the time that it covers, whatever else is integrated with it."""

from itertools import pairwise

import numpy as np
import pytest
from trajstore.data import Status, TrajstoreError, load_manifest, verify
from trajstore.pipeline import (
    EngineSettings,
    InitialStates,
    Parameter,
    System,
    generate,
    get_system,
    make_engine,
)
from trajstore.pipeline.dynamics.engines.base.budget import FEWEST, USUAL_PER_UNIT, Budget
from trajstore.pipeline.dynamics.engines.runge_kutta.scipy import METHODS

pytestmark = pytest.mark.slow

# A turn for each w: the steps of a row grow with it.
TURNING = System("turning", {"x": "w*v", "v": "-w*x"}, {"w": Parameter(1.0)}, {"x": (-1, 1), "v": (-1, 1)})
FREQUENCIES = np.array([1.0, 300.0, 2.0, 100.0, 1.0])[:, None]


def starts(rows: int) -> np.ndarray:
    return np.tile([1.0, 0.0], (rows, 1))


def test_a_budget_is_that_of_the_time_but_never_below_what_every_row_has():
    long, short = np.array([0.0, 1e4, 1e5]), np.array([-3.0, -3.0 + 1e-9])
    assert Budget(10_000_000).steps(short) == FEWEST
    assert Budget(10_000_000).steps(np.array([0.0, 50.0])) == 50 * USUAL_PER_UNIT
    assert Budget(10_000_000).steps(long) == 10_000_000
    assert Budget(1_000).steps(long) == 1_000
    # What is stated is meant, and has no least but one step.
    assert Budget(10_000_000, 5.0).steps(np.array([0.0, 100.0])) == 500
    assert Budget(400, 5.0).steps(np.array([0.0, 100.0])) == 400
    assert Budget(10_000_000, 5.0).steps(short) == 1
    assert Budget(0, 5.0).steps(np.array([0.0, 100.0])) == 500
    assert Budget().steps(long) == 0


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({"name": "heyoka"}, (10.0, 300.0)),
        ({"name": "scipy"}, (1.0, 100.0)),
        ({"name": "scipy", "method": "LSODA"}, (1.0, 100.0)),
    ],
    ids=["heyoka", "DOP853", "LSODA"],
)
def test_each_row_has_its_own_budget_whatever_its_neighbours_take(options, limits):
    times = np.linspace(0.0, 5.0, 6)
    free = make_engine(TURNING, EngineSettings(**options)).solve(starts(5), FREQUENCIES, times)
    assert not free.status.any()
    stopped = []
    for limit in limits:
        engine = make_engine(TURNING, EngineSettings(**options, max_steps_per_unit=limit))
        together = engine.solve(starts(5), FREQUENCIES, times)
        sound = together.status == Status.OK
        assert (together.status[~sound] == Status.STEP_LIMIT).all()
        np.testing.assert_array_equal(together.states[sound], free.states[sound])
        for row in range(5):
            alone = engine.solve(starts(1), FREQUENCIES[[row]], times)
            assert alone.status[0] == together.status[row]
            np.testing.assert_array_equal(alone.states[0], together.states[row])
        # Quick rows are stopped first.
        assert sound[np.argsort(FREQUENCIES[:, 0], kind="stable")].tolist() == sorted(sound, reverse=True)
        stopped.append(int((~sound).sum()))
    assert all(many > few for many, few in pairwise(stopped))
    assert stopped[0] > 0


def test_delay_equations_and_fields_have_budgets_too():
    delayed, field = get_system("mackey-glass"), get_system("kuramoto-sivashinsky")
    times = np.linspace(0.0, 40.0, 3)
    for limit, status in ((0.05, Status.STEP_LIMIT), (50.0, Status.OK)):
        engine = make_engine(delayed, EngineSettings(max_steps_per_unit=limit))
        assert engine.solve(np.full((1, 1), 0.9), np.array([delayed.defaults]), times).status == [status]
    rows = InitialStates().rows(field, 0, "train", 0, 2)
    for limit, status in ((90.0, Status.STEP_LIMIT), (110.0, Status.OK)):
        engine = make_engine(field, EngineSettings(max_step=0.01, max_steps_per_unit=limit))
        found = engine.solve(rows, np.tile(field.defaults, (2, 1)), np.array([0.0, 0.5])).status
        assert found.tolist() == [status] * 2


def test_rows_of_the_library_that_never_end_are_given_up_soon(time_limit):
    """y of this system grows like exp(gamma t), and turns y**2 times as fast."""
    system = get_system("rabinovich-fabrikant")
    rows = InitialStates().rows(system, 0, "train", 0, 16)
    parameters = np.tile(np.array(system.defaults), (16, 1))
    with time_limit(60):
        solution = make_engine(system, EngineSettings()).solve(
            rows, parameters, np.linspace(0.0, 20 * system.period, 11)
        )
    assert set(solution.status.tolist()) == {Status.OK, Status.STEP_LIMIT}


@pytest.fixture(scope="module")
def endless_and_sound():
    """A system, the initial states (2, D) of a row that never ends and of one that does, parameters, and times."""
    system = get_system("rabinovich-fabrikant")
    rows = InitialStates().rows(system, 0, "train", 0, 16)
    parameters, times = np.tile(np.array(system.defaults), (16, 1)), np.linspace(0.0, 20 * system.period, 11)
    status = make_engine(system, EngineSettings()).solve(rows, parameters, times).status
    chosen = [np.flatnonzero(status == Status.STEP_LIMIT)[0], np.flatnonzero(status == Status.OK)[0]]
    return system, rows[chosen], parameters[:2], times


@pytest.mark.parametrize("method", METHODS)
def test_scipy_gives_up_rows_that_never_end_soon_by_each_method(method, endless_and_sound, time_limit):
    """At the budget each would take minutes."""
    system, rows, parameters, times = endless_and_sound
    engine = make_engine(system, EngineSettings(name="scipy", method=method, tolerance=1e-6))
    with time_limit(60):
        together = engine.solve(rows, parameters, times)
    assert together.status.tolist() == [Status.STEP_LIMIT, Status.OK]
    alone = engine.solve(rows[1:], parameters[:1], times)
    np.testing.assert_array_equal(alone.states[0], together.states[1])


@pytest.mark.parametrize("fastest", [40.0, 300.0])
def test_rows_that_slow_down_for_a_while_and_have_the_steps_to_end_do(fastest):
    """w grows like exp(t) for a while, and steps shrink as it grows."""
    equations = {"w": f"w*(1 - w/{fastest})", "x": "w*v", "v": "-w*x"}
    chirp = System("chirp", equations, {}, dict.fromkeys(equations, (-1, 1)))
    engine = make_engine(chirp, EngineSettings(name="scipy", method="RK45", tolerance=1e-11))
    solution = engine.solve(np.array([[0.1, 1.0, 0.0]]), np.zeros((1, 0)), np.array([0.0, 6.0, 12.0]))
    assert solution.status == [Status.OK]
    grown = np.exp(np.array([0.0, 6.0, 12.0]))
    w = 0.1 * grown / (1 + 0.1 * (grown - 1) / fastest)
    np.testing.assert_allclose(solution.states[0, :, 0], w, rtol=1e-8)


def test_what_is_not_stated_is_not_stored_and_what_is_stated_is(experiment, tmp_path):
    usual, stated = experiment(), experiment(engine={"max_steps_per_unit": 7.5})
    assert "max_steps_per_unit" not in usual.generation()["engine"]
    assert stated.generation()["engine"]["max_steps_per_unit"] == 7.5
    for config, key in ((usual, None), (stated, 7.5)):
        described = make_engine(config.dynamics, config.engine).describe()
        assert described.get("max_steps_per_unit") == key
        assert described["max_steps"] == 10_000_000
    generate(stated, tmp_path / "d", jobs=1)
    assert verify(tmp_path / "d") == []
    assert load_manifest(tmp_path / "d").config["engine"]["max_steps_per_unit"] == 7.5


@pytest.mark.parametrize("value", [0, -1, 0.0, float("nan"), float("inf"), "many", True])
def test_a_budget_that_is_none_is_refused(experiment, value):
    with pytest.raises(TrajstoreError, match=r"engine\.max_steps_per_unit"):
        experiment(engine={"max_steps_per_unit": value})
