"""Delay equations: exact where a closed form is known, alike by two methods, and through every command."""

import json
from dataclasses import replace
from math import factorial

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import lambertw
from trajstore.data import Status, TrajstoreError, read_shard, verify, write_shard
from trajstore.data.base.hashing import file_hash
from trajstore.pipeline import (
    EngineError,
    EngineSettings,
    Parameter,
    System,
    check_config,
    evaluate,
    generate,
    get_system,
    make_engine,
    plot,
    reintegrate,
    train,
)
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.draw.dataset import draw_initial_states, draw_phase, plot_dataset
from trajstore.pipeline.draw.dataset_sample import sample_dataset
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_figures.rollout import draw_rollout
from trajstore.pipeline.dynamics import lyapunov
from trajstore.pipeline.dynamics.engines.delay import collocation as collocation_module
from trajstore.pipeline.dynamics.engines.delay import march as march_module
from trajstore.pipeline.dynamics.engines.delay.breaking_points import breaking_points
from trajstore.pipeline.dynamics.engines.delay.collocation import CollocationEngine
from trajstore.pipeline.dynamics.engines.delay.scipy import ScipyDelayEngine
from trajstore.pipeline.dynamics.systems.delay import DelaySystem
from trajstore.pipeline.dynamics.systems.expressions import ExpressionError
from trajstore.pipeline.dynamics.systems.naming import InvalidSystemError

pytestmark = pytest.mark.slow

NAME = "mackey-glass"
MACKEY_GLASS = get_system(NAME)


def make(equations, parameters=None, **more):
    parameters = {name: Parameter(value) for name, value in (parameters or {}).items()}
    return DelaySystem("own", equations, parameters, dict.fromkeys(equations, (0.5, 1.5)), **more)


def solve(system, starts, times, parameters=None, **settings):
    starts = np.asarray(starts, dtype=float).reshape(-1, len(system.states))
    rows = np.tile(system.defaults, (len(starts), 1)) if parameters is None else np.asarray(parameters)
    solution = make_engine(system, EngineSettings(**settings)).solve(starts, rows, np.asarray(times, float))
    assert (solution.status == Status.OK).all()
    return solution.states


def by_steps(times, tau):
    """x' = -x(t - tau) with x = 1 before 0: a polynomial on each interval, integrated by hand."""
    return np.array(
        [
            sum((-1) ** k * max(t - (k - 1) * tau, 0.0) ** k / factorial(k) for k in range(int(t // tau) + 2))
            for t in times
        ]
    )


@pytest.mark.parametrize("engine", ["auto", "scipy"])
@pytest.mark.parametrize("tau", [1.0, 0.7])
def test_the_linear_equation_is_the_polynomials_of_the_method_of_steps(engine, tau):
    times = np.linspace(0.0, 8.0, 161)
    found = solve(make({"x": "-delayed(x, tau)"}, {"tau": tau}), [1.0, 2.0], times, name=engine)
    bar = 2e-13 if engine == "auto" else 1e-10
    np.testing.assert_allclose(found[0, :, 0], by_steps(times, tau), atol=bar)
    np.testing.assert_allclose(found[1, :, 0], 2 * by_steps(times, tau), atol=2 * bar)


@pytest.mark.parametrize("engine", ["auto", "scipy"])
def test_several_delays_states_and_the_time_are_understood(engine):
    # x is known before it is asked for, and y follows from it by integration: y' = t + x(t - 1) - x(t - a).
    system = make({"x": "-x", "y": "t + delayed(x, 1) - delayed(x, a)"}, {"a": 2.5})
    times = np.linspace(0.0, 6.0, 61)
    found = solve(system, [[2.0, 0.5]], times, name=engine)[0]

    def integral(delay):
        late = np.maximum(times - delay, 0)
        return 2 * np.minimum(times, delay) + 2 * (1 - np.exp(-late))

    np.testing.assert_allclose(found[:, 0], 2 * np.exp(-times), atol=1e-11)
    np.testing.assert_allclose(found[:, 1], 0.5 + times**2 / 2 + integral(1.0) - integral(2.5), atol=1e-11)


def test_the_error_shrinks_with_the_order_of_the_method_between_the_grid_too(monkeypatch):
    # x'' = -sin(x(t - 1)) as two equations; on a grid that steps do not meet.
    system = make({"x": "y", "y": "-sin(delayed(x, 1)) - 0.5*delayed(y, 1)"})
    times = np.linspace(0.0, 12.0, 997)
    exact = solve(system, [1.0, 0.5], times, name="scipy", tolerance=1e-13)
    # Four points a step: polynomials of degree four, which err by the fifth power of the step.
    monkeypatch.setattr(march_module, "NODES", 4)
    names = ("POINTS", "INNER", "ENDS", "COEFFICIENTS")
    for name, value in zip(names, march_module._matrices(), strict=True):
        monkeypatch.setattr(march_module, name, value)
    steps = 1 / np.array([2, 4, 8, 16])
    errors = [
        np.abs(solve(system, [1.0, 0.5], times, max_step=step, tolerance=1e3) - exact).max() for step in steps
    ]
    slopes = np.diff(np.log(errors)) / np.diff(np.log(steps))
    assert (np.abs(slopes - 5) < 0.5).all(), (errors, slopes)


@pytest.mark.parametrize("tau", [3.0, 17.0, 30.0])
def test_mackey_glass_agrees_with_scipy_before_chaos_parts_them(tau):
    parameters = np.tile([0.2, 0.1, 10.0, tau], (3, 1))
    times = np.linspace(0.0, 150.0, 301)
    ours = solve(MACKEY_GLASS, [0.3, 0.8, 1.3], times, parameters)
    theirs = solve(MACKEY_GLASS, [0.3, 0.8, 1.3], times, parameters, name="scipy")
    assert 0 < np.abs(ours - theirs).max() < 2e-10
    # A tolerance a hundred times larger moves it by less than that.
    loose = solve(MACKEY_GLASS, [0.3, 0.8, 1.3], times, parameters, tolerance=1e-11)
    assert np.abs(ours - loose).max() < 1e-10


def test_every_row_has_its_own_delay_and_none_depends_on_its_neighbours(monkeypatch):
    starts = np.random.default_rng(0).uniform(0.3, 1.3, (37, 1))
    parameters = np.tile(MACKEY_GLASS.defaults, (37, 1))
    parameters[:, 3] = np.linspace(1.0, 40.0, 37)
    times = np.linspace(0.0, 100.0, 51)
    together = solve(MACKEY_GLASS, starts, times, parameters)
    alone = [solve(MACKEY_GLASS, starts[row], times, parameters[row : row + 1])[0] for row in range(0, 37, 6)]
    assert np.array_equal(together[::6], alone)
    assert np.array_equal(together[::-1], solve(MACKEY_GLASS, starts[::-1], times, parameters[::-1]))
    monkeypatch.setattr(collocation_module, "ROWS", 8)
    assert np.array_equal(together, solve(MACKEY_GLASS, starts, times, parameters))


def test_rows_that_cannot_be_integrated_fail_alone():
    system = make({"x": "x**2*delayed(x, tau)"}, {"tau": 1.0})
    starts = np.array([[0.1], [2.0], [np.nan], [0.1], [0.1]])
    parameters = np.array([[1.0], [1.0], [1.0], [0.0], [np.nan]])
    times = np.linspace(0.0, 3.0, 7)
    for engine in ("auto", "scipy"):
        solution = make_engine(system, EngineSettings(name=engine)).solve(starts, parameters, times)
        assert solution.status.tolist() == [Status.OK] + 4 * [Status.DIVERGED]
        assert np.isnan(solution.states[1:]).all()
        np.testing.assert_allclose(solution.states[0], solve(system, [0.1], times)[0], atol=1e-10)
    limited = make_engine(MACKEY_GLASS, EngineSettings(max_steps=5))
    starts, parameters = np.full((2, 1), 0.5), np.tile(MACKEY_GLASS.defaults, (2, 1))
    assert (limited.solve(starts, parameters, times * 100).status == Status.STEP_LIMIT).all()
    assert (limited.solve(starts, parameters, times).status == Status.OK).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.05, 5.0), min_size=1, max_size=3), st.integers(1, 5), st.floats(-3.0, 3.0))
def test_breaking_points_are_the_sums_of_delays(delays, level, start):
    points = breaking_points(np.array(delays), start, start + 4.0, level)
    assert points == sorted(points)
    assert all(start < point < start + 4.0 for point in points)
    for count in range(1, level + 1):
        for delay in delays:
            if 1e-6 < count * delay < 4.0 - 1e-6:
                assert min(abs(point - start - count * delay) for point in points) < 1e-9


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.05, 5.0), min_size=1, max_size=4), st.integers(1, 6), st.floats(0.1, 9.0))
def test_an_earlier_end_leaves_the_points_before_it_as_they_are(delays, level, end):
    everything = breaking_points(np.array(delays), 0.0, np.inf, level)
    assert breaking_points(np.array(delays), 0.0, end, level) == [time for time in everything if time < end]


def test_many_delays_cost_only_the_sums_before_the_end(time_limit):
    """Of 12 delays there are 30 million sums of up to 16; none of them but the delays is before the end."""
    with time_limit(5):
        points = breaking_points(np.linspace(0.6, 0.9, 12), 0.0, 1.0, 16)
    np.testing.assert_allclose(points, np.linspace(0.6, 0.9, 12))


def test_a_description_reads_back_in_any_order():
    system = make({"b": "-delayed(a, tau)", "a": "b - delayed(b, 2)"}, {"tau": 1.5})
    again = System.from_dict(json.loads(json.dumps(system.to_dict(), sort_keys=True)))
    assert again == system
    assert (again.states, again.delays) == (("b", "a"), ("tau", 2.0))
    assert again.latex()[0] == r"\dot{b} = - a\left(t - \tau\right)"


BAD = {
    "nested": "-delayed(delayed(x, tau), tau)",
    "unknown state": "-delayed(y, tau)",
    "unknown delay": "-delayed(x, sigma)",
    "delay of an expression": "-delayed(x, 2*tau)",
    "expression delayed": "-delayed(2*x, tau)",
    "delay that is a state": "-delayed(x, x)",
    "delay that is the time": "-delayed(x, t)",
    "parameter delayed": "-delayed(tau, tau)",
    "no delay": "-delayed(x)",
    "zero": "-delayed(x, 0)",
    "negative": "-delayed(x, -1)",
    "boolean": "-delayed(x, True)",
    "infinite": "-delayed(x, 1e999)",
    "text": "-delayed(x, 'tau')",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_no_delayed_state_is_refused_with_what_would_be(text):
    with pytest.raises(ExpressionError, match=r"equation of x.*is no delayed state; expected delayed"):
        make({"x": text}, {"tau": 1.0})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"parameters": {"tau": Parameter(0.0)}}, "tau is a delay, and would be 0"),
        ({"parameters": {"tau": Parameter(draw={"uniform": [-1.0, 2.0]})}}, "would be -1"),
        ({"parameters": {"tau": Parameter(draw={"grid": [0.0, 2.0, 3]})}}, "would be 0"),
        ({"parameters": {"tau": Parameter(draw={"values": [1.0, -3.0]})}}, "would be -3"),
        ({"parameters": {"tau": Parameter(draw={})}}, "would be nan"),
        ({"equations": {"x": "-x*tau"}}, "0 delays; expected 1 to 4"),
        ({"equations": {"x": "+".join(f"delayed(x, {n})" for n in range(1, 6))}}, "5 delays"),
        ({"hamiltonian": "x**2"}, "no hamiltonian"),
    ],
)
def test_a_system_that_cannot_be_solved_is_refused(change, expected):
    with pytest.raises(InvalidSystemError, match=expected):
        replace(make({"x": "-delayed(x, tau)"}, {"tau": 1.0}), **change)


def config(**sections):
    plain = {
        "system": {"name": NAME},
        "grid": {"duration": 40.0, "step": 1.0},
        "dataset": {"train": 6, "validation": 2, "test": 3, "shard_rows": 2},
        "task": {"name": "forecast"},
        "model": {"hidden": 6},
        "training": {"steps": 2, "evaluate_every": 1, "batch": 8},
        "evaluation": {"rollouts": 2, "rollout_lengths": 4},
    }
    return {key: {**plain.get(key, {}), **sections.get(key, {})} for key in plain | sections}


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"engine": {"name": "heyoka"}}, "heyoka.*knows no delays"),
        ({"engine": {"name": "etdrk4"}}, 'etdrk4" is for "kuramoto'),
        ({"engine": {"method": "DOP853"}}, "one tolerance"),
        ({"grid": {"resample": "linear"}}, "one tolerance"),
        ({"system": {"name": "lorenz"}, "engine": {"name": "collocation"}}, "is for delay equations"),
        ({"system": {"parameters": {"tau": {"uniform": [0.0, 2.0]}}}}, "tau is a delay"),
    ],
)
def test_what_does_not_go_together_is_refused_in_plain_words(sections, expected):
    with pytest.raises(TrajstoreError, match=expected):
        check_config(config(**sections), "config")


def test_engines_made_by_hand_refuse_equations_without_delays():
    with pytest.raises(EngineError, match="delay equations, not 'lorenz'"):
        CollocationEngine(get_system("lorenz"))
    with pytest.raises(EngineError, match="has no delays"):
        ScipyDelayEngine(get_system("lorenz")).solve(np.ones((1, 3)), np.ones((1, 3)), np.array([0.0, 1.0]))


OWN = {
    "name": "two-delays",
    "equations": {"x": "y - delayed(x, tau)", "y": "-sin(delayed(x, 0.5)) - y"},
    "parameters": {"tau": {"uniform": [0.3, 1.2]}},
    "initial_state": {"x": [-1.0, 1.0], "y": [-1.0, 1.0]},
}


@pytest.mark.parametrize("engine", ["auto", "scipy"])
def test_an_equation_of_ones_own_is_stored_whatever_the_jobs_and_a_forged_row_is_found(engine, tmp_path):
    sections = {"system": OWN, "grid": {"duration": 6.0, "step": 0.1}, "engine": {"name": engine}}
    experiment = check_config(config(**sections, dataset={"dtype": "float64"}), "config")
    for jobs in (1, 2) if engine == "auto" else (1,):
        generate(experiment, tmp_path / str(jobs), jobs=jobs)
    hashes = [file_hash(path) for path in sorted((tmp_path / "1").iterdir())]
    assert engine == "scipy" or hashes == [file_hash(path) for path in sorted((tmp_path / "2").iterdir())]
    assert verify(tmp_path / "1") == []
    found = reintegrate(tmp_path / "1", 4)
    assert (found.problems, found.engine) == ([], "DOP853" if engine == "auto" else "Gauss")
    assert 0 < found.largest < 1e-10
    path = tmp_path / "1" / "train-00000.h5"
    shard = read_shard(path)
    assert (shard.parameters["tau"] >= 0.3).all()
    forged = shard.state.copy()
    forged[1, 30:] += 1e-6
    write_shard(tmp_path / path.name, replace(shard, state=forged))
    assert len(reintegrate(tmp_path / path.name, 2).problems) == 1
    plot_dataset(tmp_path / "1")
    card = (tmp_path / "1" / "README.md").read_text()
    assert "its past is constant" in card
    assert r"x\left(t - \tau\right)" in card


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("delay") / "dataset"
    transient = {"kind": "attractor", "transient": 60.0}
    experiment = check_config(config(initial_states=transient, dataset={"dtype": "float64"}), "config")
    generate(experiment, folder, jobs=1)
    return experiment, folder


def test_a_transient_lies_before_the_grid_and_rows_keep_the_state_they_began_with(dataset):
    experiment, folder = dataset
    assert verify(folder) == []
    assert reintegrate(folder, 4).problems == []
    shard = read_shard(folder / "train-00000.h5")
    assert np.array_equal(shard.initial_state, experiment.initial_state_rows("train", 0, 2))
    whole = solve(MACKEY_GLASS, shard.initial_state, np.linspace(-60.0, 40.0, 101))
    np.testing.assert_allclose(shard.state, whole[:, 60:], atol=1e-11)


def test_a_network_is_trained_judged_and_drawn_beside_itself_one_delay_ago(dataset, tmp_path):
    experiment, folder = dataset
    run = tmp_path / "run"
    train(experiment, folder, run)
    metrics = evaluate(run)
    assert metrics["rollout"]["amplitude"] is None
    results = load_results(run)
    # Rollouts begin behind their history, and that where the grid does.
    first = read_shard(folder / "test-00000.h5").state[:, metrics["rollout"]["warmup"]]
    np.testing.assert_allclose(results["rollout_true"][:2, 0], first[:2], atol=1e-12)
    right = draw_rollout(results).axes[1]
    assert (right.get_xlabel(), right.get_ylabel()) == ("$x(t - 17)$", "$x(t)$")
    assert {path.name for path in plot(run)} >= {"flow.png", "rollout.png"}
    line = draw_phase(sample_dataset(folder)).axes[0].lines[0].get_xydata()
    state = read_shard(folder / "train-00000.h5").state[0, :, 0]
    np.testing.assert_array_equal(line, np.stack([state[:-17], state[17:]], axis=1))


def test_rows_at_rest_are_points_that_can_be_seen(tmp_path):
    system = {"name": NAME, "parameters": {"tau": 2.0}}
    starts = {"kind": "attractor", "transient": 400.0}
    generate(check_config(config(system=system, initial_states=starts), "config"), tmp_path / "d", jobs=1)
    sample = sample_dataset(tmp_path / "d")
    axes = draw_phase(sample).axes[0]
    assert [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"]
    for low, high in (axes.get_xlim(), axes.get_ylim()):
        assert (low, high) == pytest.approx((0.95, 1.05), abs=0.01)
    # What is stored of a delay equation is where rows began, before the transient.
    assert draw_initial_states(sample).get_suptitle().endswith("before a transient of 400")


def test_people_are_told_of_the_delay(dataset):
    shown = CliRunner().invoke(main, ["systems", NAME], catch_exceptions=False).output
    assert "x' = beta*delayed(x, tau)/(1 + delayed(x, tau)**n) - gamma*x" in shown
    assert "x(t <= 0) in [0.2, 1.4]" in shown
    told = CliRunner().invoke(main, ["info", str(dataset[1])], catch_exceptions=False).output
    assert "collocation Gauss, tolerance 1e-13" in told


def test_the_exponent_of_a_linear_equation_is_its_rightmost_root():
    # x' = -a x(t - 1): growth s with s = -a exp(-s), Lambert's function; below pi/2 all roots decay.
    for a in (0.2, 1.2, 3.0):
        system = make({"x": "-a*delayed(x, 1)"}, {"a": a}, period=4.0)
        found = lyapunov.spectrum(system, rows=2, periods=60, transient=20)
        root = lambertw(-a)
        assert abs(root + a * np.exp(-root)) < 1e-12
        assert found.exponents == pytest.approx(root.real, abs=5e-3)
        assert found.dimension in (None, 0.0)


def test_the_exponent_of_mackey_glass_is_that_of_two_close_trajectories():
    found = lyapunov.spectrum(MACKEY_GLASS, rows=16, periods=40, transient=20)
    assert found.exponents[0] == pytest.approx(0.0053, abs=0.001)
    # Over some Lyapunov times two rows that begin 1e-9 apart part as fast.
    starts = np.random.default_rng(0).uniform(0.5, 1.3, (16, 1))
    times = np.linspace(0.0, 2000.0, 2001)
    both = solve(MACKEY_GLASS, np.concatenate([starts, starts + 1e-9]), times)[:, 1:, 0]
    close, other = both[:16], both[16:]
    sizes = np.sqrt(np.square(close - other).reshape(16, 20, 100).mean(axis=2))
    rate = np.polyfit(np.arange(20) * 100.0, np.log(sizes).mean(axis=0), 1)[0]
    assert rate == pytest.approx(0.0053, abs=0.0015)
    with pytest.raises(TrajstoreError, match="expected 1 to 1"):
        lyapunov.spectrum(MACKEY_GLASS, 2)
