"""Kuramoto-Sivashinsky: the right equation, to fourth order, with its symmetries, and through every command."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.integrate import solve_ivp
from trajstore.data import Status, TrajstoreError, read_shard, verify, write_shard
from trajstore.pipeline import (
    EngineSettings,
    InitialStates,
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
from trajstore.pipeline.draw.dataset import draw_series, plot_dataset
from trajstore.pipeline.draw.dataset_sample import sample_dataset
from trajstore.pipeline.draw.run_figures.flow import draw_flow
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_figures.rollout import draw_rollout
from trajstore.pipeline.dynamics.engines.base.engine import EngineError
from trajstore.pipeline.dynamics.engines.field import etdrk4 as etdrk4_module
from trajstore.pipeline.dynamics.engines.taylor.heyoka import HeyokaEngine
from trajstore.pipeline.dynamics.systems.naming import InvalidSystemError

pytestmark = pytest.mark.slow

NAME = "kuramoto-sivashinsky"
SYSTEM = get_system(NAME)
LENGTH = 22.0


def solve(starts, times, length: Any = LENGTH, step=None, name="auto", method=None):
    """States (n, T, N) of fields (n, N)."""
    system = get_system(NAME, starts.shape[1])
    settings = EngineSettings(name=name, max_step=step, method=method)
    lengths = np.broadcast_to(np.asarray(length, dtype=float), len(starts))[:, None]
    solution = make_engine(system, settings).solve(starts, lengths, np.asarray(times, dtype=float))
    assert (solution.status == Status.OK).all()
    return solution.states


def fields(rows, size=64, seed=0):
    return InitialStates().rows(get_system(NAME, size), seed, "train", 0, rows)


def resampled(states, size):
    spectrum = np.fft.rfft(states, axis=-1) / states.shape[-1]
    return np.fft.irfft(spectrum[..., : min(size, states.shape[-1]) // 2], size, axis=-1) * size


@pytest.fixture(scope="module")
def developed():
    """Fields on the attractor, (8, 64)."""
    return solve(fields(8), [-60.0, 0.0], step=0.02)[:, 1]


def test_the_slope_is_that_of_the_equation_differentiated_by_hand():
    # u = A sin(qx) + B cos(2qx) with derivatives taken on paper.
    q, a, b = 2 * np.pi / LENGTH, 1.3, -0.7
    x = LENGTH / 64 * np.arange(64)
    u = a * np.sin(q * x) + b * np.cos(2 * q * x)
    u_x = a * q * np.cos(q * x) - 2 * b * q * np.sin(2 * q * x)
    u_xx = -a * q**2 * np.sin(q * x) - 4 * b * q**2 * np.cos(2 * q * x)
    u_xxxx = a * q**4 * np.sin(q * x) + 16 * b * q**4 * np.cos(2 * q * x)
    slope = -u * u_x - u_xx - u_xxxx
    field, _ = SYSTEM.numeric()
    np.testing.assert_allclose(field(0.0, u, [LENGTH]), slope, atol=1e-13)
    step = 1e-4
    forward = solve(u[None], [0.0, step, 2 * step], step=1e-5)[0]
    # One-sided, of second order: the equation cannot be followed backwards.
    found = (-3 * forward[0] + 4 * forward[1] - forward[2]) / (2 * step)
    np.testing.assert_allclose(found, slope, atol=1e-6)


def test_the_error_shrinks_with_the_fourth_power_of_the_step(developed):
    exact = solve(developed[:4], [0.0, 1.0], step=0.000625)[:, 1]
    steps = np.array([0.02, 0.01, 0.005, 0.0025])
    errors = [np.abs(solve(developed[:4], [0.0, 1.0], step=step)[:, 1] - exact).max() for step in steps]
    slopes = np.diff(np.log(errors)) / np.diff(np.log(steps))
    assert (np.abs(slopes - 4) < 0.3).all(), slopes


def test_the_default_step_errs_by_less_than_it_claims_in_a_unit_of_time(developed):
    coarse, fine = (solve(developed[:4], [0.0, 1.0], step=step)[:, 1] for step in (None, 0.00125))
    # The finer one errs by a sixteenth.
    assert np.abs(coarse - fine).max() < 2e-10


def test_twice_the_points_and_half_the_step_give_the_same_field(developed):
    wide = resampled(developed[:4], 128)
    np.testing.assert_allclose(wide[:, ::2], developed[:4], atol=1e-6)
    coarse = solve(developed[:4], [0.0, 5.0])[:, 1]
    fine = solve(wide, [0.0, 5.0], step=0.00125)[:, 1, ::2]
    np.testing.assert_allclose(coarse, fine, atol=2e-6)
    # At 96 points nothing of size 1e-9 is cut off any more.
    finer = solve(resampled(developed[:4], 96), [0.0, 5.0])[:, 1]
    np.testing.assert_allclose(finer, resampled(solve(wide, [0.0, 5.0])[:, 1], 96), atol=2e-9)


@pytest.mark.parametrize("method", ["DOP853", "LSODA", "Radau"])
def test_solvers_of_stiff_and_other_equations_agree(developed, method):
    times = np.linspace(0.0, 2.0, 5)
    ours = solve(developed[:2], times, LENGTH)
    if method == "Radau":
        settings = EngineSettings(name="scipy", method="Radau", tolerance=1e-9)
        theirs = make_engine(SYSTEM, settings).solve(developed[:2], np.full((2, 1), LENGTH), times).states
    else:
        theirs = solve(developed[:2], times, name="scipy", method=method)
    np.testing.assert_allclose(ours, theirs, atol=1e-8 if method == "Radau" else 1e-9)


def test_a_shifted_field_stays_shifted_and_a_mirrored_one_mirrored(developed):
    times = [0.0, 3.0]
    after = solve(developed, times)[:, 1]
    np.testing.assert_allclose(
        solve(np.roll(developed, 5, axis=1), times)[:, 1], np.roll(after, 5, axis=1), atol=1e-10
    )
    # x -> -x, u -> -u.
    mirrored = -np.roll(developed[:, ::-1], 1, axis=1)
    np.testing.assert_allclose(solve(mirrored, times)[:, 1], -np.roll(after[:, ::-1], 1, axis=1), atol=1e-10)


def test_a_field_on_a_wind_is_carried_along(developed):
    # u(x, t) solves it, so does c + u(x - ct, t): after L/64/c it has moved by one point for each unit.
    wind = 4 * LENGTH / 64
    after = solve(developed, [0.0, 2.0])[:, 1]
    carried = solve(developed + wind, [0.0, 2.0])[:, 1]
    np.testing.assert_allclose(carried, np.roll(after, 8, axis=1) + wind, atol=1e-7)


def test_the_mean_does_not_change(developed):
    states = solve(developed + 0.3, np.linspace(0.0, 10.0, 11), step=0.01)
    np.testing.assert_allclose(states.mean(axis=2), 0.3, atol=1e-13)


def test_a_short_circle_has_nothing_but_its_mean_in_the_end():
    states = solve(fields(4) + 0.5, [0.0, 400.0], length=6.0, step=0.04)[:, 1]
    np.testing.assert_allclose(states, 0.5, atol=1e-12)
    # The slowest mode decays as q^2 - q^4 says.
    x = np.arange(64) / 64
    small = solve(1e-6 * np.cos(2 * np.pi * x)[None], [0.0, 5.0], length=6.0)[0]
    q = 2 * np.pi / 6
    assert small[1, 0] / small[0, 0] == pytest.approx(np.exp(5 * (q**2 - q**4)), rel=1e-6)


def test_the_energy_changes_as_production_and_dissipation_say(developed):
    # d/dt of the mean of u^2/2 is the mean of u_x^2 - u_xx^2: advection moves it, and makes none.
    times = np.linspace(0.0, 1.0, 401)
    states = solve(developed[:2], times)
    q = 2 * np.pi / LENGTH * np.arange(33)
    power = 2 * np.abs(np.fft.rfft(states, axis=2) / 64) ** 2
    balance = (power * (q**2 - q**4)).sum(axis=2)
    energy = power.sum(axis=2) / 2
    np.testing.assert_allclose(np.gradient(energy, times, axis=1, edge_order=2), balance, atol=1e-3)


def test_advection_makes_no_energy_however_few_the_points():
    # An alias of the product would: at 16 points its modes 6 to 10 would come back as others.
    system = get_system(NAME, 16)
    field, _ = system.numeric()
    rough = system.representable(np.random.default_rng(0).standard_normal((5, 16)))
    q = 2 * np.pi / LENGTH * np.arange(9)
    power = 2 * np.abs(np.fft.rfft(rough, axis=1) / 16) ** 2
    made = [(state * field(0.0, state, [LENGTH])).mean() for state in rough]
    np.testing.assert_allclose(made, (power * (q**2 - q**4)).sum(axis=1), rtol=1e-12)


def test_of_a_field_from_a_file_the_points_keep_what_they_resolve(tmp_path):
    rough = np.random.default_rng(0).standard_normal((3, 64))
    np.save(tmp_path / "fields.npy", rough)
    kept = InitialStates(kind="file", path=str(tmp_path / "fields.npy")).rows(SYSTEM, 0, "train", 0, 3)
    modes, expected = np.fft.rfft(kept, axis=1), np.fft.rfft(rough, axis=1)
    np.testing.assert_allclose(modes[:, :22], expected[:, :22], atol=1e-12)
    assert np.abs(modes[:, 22:]).max() < 1e-12


def test_the_bits_of_a_row_do_not_depend_on_its_neighbours(monkeypatch):
    starts, times = fields(150), [0.0, 0.05, 0.1]
    lengths = np.full(150, LENGTH)
    whole = solve(starts, times, step=0.01)
    for first, last in [(0, 1), (3, 4), (5, 12), (127, 129), (149, 150), (1, 150)]:
        assert np.array_equal(solve(starts[first:last], times, step=0.01), whole[first:last])
    lengths[::2] = 30.0
    mixed = solve(starts, times, length=lengths, step=0.01)
    assert np.array_equal(mixed[1::2], whole[1::2])
    assert not np.array_equal(mixed[::2], whole[::2])
    monkeypatch.setattr(etdrk4_module, "ROWS", 32)
    assert np.array_equal(solve(starts, times, step=0.01), whole)


def test_rows_that_blow_up_are_flagged_and_leave_the_others_alone():
    starts, times = fields(10), np.linspace(0.0, 1.0, 3)
    parameters = np.full((10, 1), LENGTH)
    engine = make_engine(SYSTEM, EngineSettings(max_step=0.01))
    sound = engine.solve(starts, parameters, times)
    bad = starts.copy()
    bad[1] *= 1e6
    bad[4, 7] = np.nan
    parameters[6] = -1.0
    solution = engine.solve(bad, parameters, times)
    assert np.flatnonzero(solution.status).tolist() == [1, 4, 6]
    assert (solution.status[[1, 4, 6]] == Status.DIVERGED).all()
    assert np.isnan(solution.states[[1, 4, 6]]).all()
    kept = [0, 2, 3, 5, 7, 8, 9]
    assert np.array_equal(solution.states[kept], sound.states[kept])
    limited = make_engine(SYSTEM, EngineSettings(max_step=0.01, max_steps=99))
    assert (limited.solve(starts, parameters, times).status == Status.STEP_LIMIT).all()


@pytest.mark.parametrize(
    ("size", "length", "amplitude", "step"),
    [
        (64, 22.0, 1e-6, None),
        (64, 22.0, 30.0, None),
        (96, 22.0, 400.0, None),
        (64, 100.0, 200.0, None),
        (32, 8.0, 4.0, None),
        (32, 22.0, 100.0, 0.02),
    ],
)
def test_fields_of_any_amplitude_hold_the_stated_tolerance_or_fail(size, length, amplitude, step):
    system, end = get_system(NAME, size), 0.04
    start = fields(2, size)[1:] * amplitude / 4
    engine = make_engine(system, EngineSettings(max_step=step))
    times = np.linspace(0.0, end, 5)
    solution = engine.solve(start, np.full((1, 1), length), times)
    field, _ = system.numeric()
    exact = solve_ivp(
        lambda time, state: field(time, state, [length]),
        (0.0, end),
        start[0],
        method="DOP853",
        rtol=1e-13,
        atol=1e-13 * amplitude,
        t_eval=times,
    ).y.T
    error = np.abs(solution.states[0] - exact).max(axis=1) / np.abs(exact).max(axis=1)
    assert solution.status.tolist() == [Status.OK]
    # What docs/systems.md states; and the reference errs, too.
    stated = etdrk4_module.AT_ONCE + etdrk4_module.BY_TIME * end
    assert error.max() < stated * engine.describe()["tolerance"] + 1e-12 * amplitude**0.5


def test_rows_in_shorter_steps_depend_on_no_neighbour_and_leave_the_others_as_they_were():
    starts, times = fields(40), [0.0, 0.02, 0.05]
    plain = solve(starts, times, step=0.01)
    starts[::3] *= np.geomspace(5, 50, 14)[:, None]
    mixed = solve(starts, times, step=0.01)
    assert np.array_equal(np.delete(mixed, np.s_[::3], axis=0), np.delete(plain, np.s_[::3], axis=0))
    for rows in ([39], [0, 1, 2], [36, 39, 0]):
        assert np.array_equal(solve(starts[rows], times, step=0.01), mixed[rows])
    fine = solve(starts[::3], times, step=0.001)
    np.testing.assert_allclose(mixed[::3], fine, atol=1e-6 * np.abs(starts).max())


def test_a_row_whose_steps_cannot_be_short_enough_fails_alone():
    starts, times = fields(3), np.array([0.0, 0.01])
    starts[1] *= 3e3
    parameters = np.full((3, 1), LENGTH)
    for most, why in ((0, Status.SOLVER_FAILED), (100, Status.STEP_LIMIT)):
        engine = make_engine(SYSTEM, EngineSettings(max_steps=most) if most else EngineSettings())
        solution = engine.solve(starts, parameters, times)
        assert solution.status.tolist() == [Status.OK, why, Status.OK]
        assert np.isnan(solution.states[1]).all()


def test_a_grid_of_uneven_steps_and_of_one_time_is_met(developed):
    times = np.array([0.0, 0.1, 0.35, 0.351, 1.0])
    states = solve(developed[:2], times)
    for index, time in enumerate(times[1:], start=1):
        np.testing.assert_allclose(states[:, index], solve(developed[:2], [0.0, time])[:, 1], atol=1e-9)
    assert np.array_equal(solve(developed[:2], [0.0])[:, 0], developed[:2])


def test_two_close_trajectories_part_as_fast_as_is_known():
    # By 0.043 to 0.048 (Edson et al. 2019, doi:10.1017/S1446181119000105); few rows and times give a rough value.
    states = solve(fields(16, size=32), [-100.0, 0.0], step=0.1)[:, 1]
    offset = 1e-7 * np.random.default_rng(0).standard_normal(states.shape)
    rates = []
    for _ in range(8):
        size = 1e-7 * np.sqrt(32)
        offset *= size / np.linalg.norm(offset, axis=1, keepdims=True)
        both = solve(np.concatenate([states, states + offset]), [0.0, 25.0], step=0.1)[:, 1]
        states, offset = both[:16], both[16:] - both[:16]
        rates.append(np.log(np.linalg.norm(offset, axis=1) / size).mean() / 25)
    assert 0.03 < np.mean(rates[2:]) < 0.07


def test_random_fields_are_smooth_within_their_range_and_alike_for_every_size():
    rows = fields(200)
    assert np.abs(rows).max() <= 4.0
    assert 0.5 < rows.std() < 1.2
    np.testing.assert_allclose(rows.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(fields(200, size=128)[:, ::2], rows, atol=1e-13)
    assert np.abs(np.fft.rfft(rows, axis=1)[:, 5:]).max() < 1e-12
    later = InitialStates().rows(SYSTEM, 0, "train", 150, 200)
    assert np.array_equal(later, rows[150:])
    assert not np.array_equal(InitialStates().rows(SYSTEM, 1, "train", 0, 200), rows)


def test_a_description_reads_back_in_any_order_and_another_equation_is_refused():
    described = json.loads(json.dumps(get_system(NAME, 128).to_dict(), sort_keys=True))
    again = System.from_dict(described)
    assert again == get_system(NAME, 128)
    assert again.states[:3] == ("u1", "u2", "u3")
    assert again.latex() == [r"\partial_t u = - u \, \partial_x u - \partial_x^2 u - \partial_x^4 u"]
    assert again.autonomous


def test_ten_thousand_points_are_the_field_that_fewer_are_and_never_matrices():
    times, few, many = [0.0, 0.5], fields(1), fields(1, 10_000)
    np.testing.assert_allclose(resampled(many, 64), few, atol=1e-12)
    found = solve(many, times, step=0.05)[:, 1]
    np.testing.assert_allclose(resampled(found, 64), solve(few, times, step=0.05)[:, 1], atol=1e-5)
    with pytest.raises(InvalidSystemError, match=r"10,000 points.*etdrk4"):
        get_system(NAME, 10_000).numeric()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kind": "stochastic"}, "unknown kind 'stochastic'"),
        ({"kind": ["x"]}, "kind|unhashable"),
        ({"equations": {"u": "-u*u_x - u_xx"}}, "expected states u1"),
        ({"parameters": {"length": {"value": -1.0}}}, "length -1.0"),
        ({"parameters": {"width": {"value": 1.0}}}, "the parameter length"),
        ({"states": ["u2", "u1"]}, "expected u1, u2"),
        ({"initial_state": {"u1": [0, 1]}}, "size 1; expected 16 to 10000"),
        ({"initial_state": {f"u{i}": [0, i] for i in range(1, 65)}}, "one range for all"),
    ],
)
def test_a_description_that_is_not_of_this_equation_is_refused(change, expected):
    with pytest.raises(InvalidSystemError, match=expected):
        System.from_dict({**SYSTEM.to_dict(), **change})


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"engine": {"name": "heyoka"}}, "heyoka.*etdrk4"),
        ({"engine": {"tolerance": 1e-9}}, "follows from max_step"),
        ({"grid": {"resample": "linear"}}, "follows from max_step"),
        ({"system": {"name": "lorenz", "size": None}, "engine": {"name": "etdrk4"}}, 'etdrk4" is for'),
        ({"system": {"name": "lorenz", "size": 5}}, "one size.*lorenz-96"),
        ({"system": {"name": "lorenz-96", "size": 3}}, "at least 4"),
        ({"system": {"size": 8}}, "expected 16 to 10000"),
        ({"system": {"parameters": {"width": 3.0}}}, "it has length"),
        ({"system": {"initial_state": {"u1": [0.0, 1.0]}}}, "it has u"),
        ({"initial_states": {"kind": "normal"}}, "no smooth field"),
    ],
)
def test_what_does_not_go_together_is_refused_in_plain_words(sections, expected):
    with pytest.raises(TrajstoreError, match=expected):
        check_config(config(**sections), "config")


def test_engines_made_by_hand_refuse_the_other_kind_of_system():
    with pytest.raises(TrajstoreError, match="partial differential equation"):
        HeyokaEngine(SYSTEM)
    with pytest.raises(EngineError, match="alone, not 'lorenz'"):
        etdrk4_module.Etdrk4Engine(get_system("lorenz"))


def test_sizes_lengths_and_ranges_come_from_the_config():
    experiment = check_config(
        config(system={"size": 48, "parameters": {"length": 30.0}, "initial_state": {"u": [-1.0, 3.0]}}),
        "config",
    )
    assert len(experiment.dynamics.states) == 48
    assert experiment.dynamics.defaults == (30.0,)
    np.testing.assert_allclose(experiment.initial_state_rows("train", 0, 5).mean(axis=1), 1.0)
    assert experiment.generation()["engine"]["name"] == "etdrk4"
    lorenz = check_config(config(system={"name": "lorenz-96", "size": 5}), "config")
    assert lorenz.dynamics.states == ("x1", "x2", "x3", "x4", "x5")


def config(**sections):
    plain = {
        "system": {"name": NAME, "size": 32},
        "grid": {"duration": 4.0, "step": 0.25},
        "engine": {"max_step": 0.01},
        "dataset": {"train": 6, "validation": 2, "test": 3},
        "task": {"name": "forecast", "window": 6},
        "model": {"hidden": 6},
        "training": {"steps": 2, "evaluate_every": 1, "batch": 8},
        "evaluation": {"rollouts": 2, "rollout_lengths": 3},
    }
    return {key: {**plain.get(key, {}), **sections.get(key, {})} for key in plain | sections}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("field") / "dataset"
    transient = {"kind": "attractor", "transient": 30.0}
    experiment = check_config(config(initial_states=transient, dataset={"dtype": "float64"}), "config")
    generate(experiment, folder, jobs=1)
    return experiment, folder


def test_a_dataset_is_sound_again_by_another_method_and_a_change_is_found(dataset, tmp_path):
    _, folder = dataset
    assert verify(folder) == []
    found = reintegrate(folder, 3)
    assert found.problems == []
    assert "ETDRK4" not in found.engine
    assert 0 < found.largest < 1e-6
    path = folder / "train-00000.h5"
    shard = read_shard(path)
    states = shard.state.copy()
    # A wave of one part in ten thousand.
    states[:, 1:] += 1e-4 * np.cos(2 * np.pi * np.arange(32) / 32)
    write_shard(tmp_path / path.name, replace(shard, state=states))
    assert len(reintegrate(tmp_path / path.name, 3).problems) == 3


def test_a_dataset_that_scipy_made_is_held_against_etdrk4(tmp_path):
    settings = {"engine": {"name": "scipy", "max_step": None}, "grid": {"duration": 1.0}}
    generate(check_config(config(**settings), "config"), tmp_path / "dataset", jobs=1)
    found = reintegrate(tmp_path / "dataset", 2)
    assert (found.problems, found.engine) == ([], "ETDRK4")


def test_lengths_by_row_are_stored_and_used(tmp_path):
    lengths = {"system": {"parameters": {"length": {"values": [20.0, 40.0]}}}}
    folder = tmp_path / "dataset"
    generate(check_config(config(**lengths), "config"), folder, jobs=1)
    shard = read_shard(folder / "train-00000.h5")
    assert shard.parameters["length"].tolist() == [20.0, 40.0] * 3
    for row, length in enumerate([20.0, 40.0]):
        expected = solve(shard.initial_state[row : row + 1], shard.time, length=length, step=0.01)[0]
        np.testing.assert_array_equal(shard.state[row], expected.astype(np.float32))
    assert reintegrate(folder, 4).problems == []
    plot_dataset(folder)


def test_people_are_told_one_equation_and_how_fields_were_drawn(tmp_path):
    folder = tmp_path / "dataset"
    generate(check_config(config(grid={"duration": 0.5}), "config"), folder, jobs=1)
    told = CliRunner().invoke(main, ["info", str(folder)], catch_exceptions=False).output
    for part in (
        "u' = -u*u_x - u_xx - u_xxxx",
        "smooth random fields: each of 32 components",
        "0.01 at most",
    ):
        assert part in told
    card = (folder / "README.md").read_text()
    assert r"\partial_t u &= - u \, \partial_x u" in card
    assert "Smooth random fields within this box" in card
    shown = CliRunner().invoke(main, ["systems", NAME], catch_exceptions=False).output
    assert "u' = -u*u_x - u_xx - u_xxxx" in shown


def test_a_network_is_trained_judged_and_drawn_beside_the_true_field(dataset, tmp_path):
    experiment, folder = dataset
    run = tmp_path / "run"
    train(experiment, folder, run)
    metrics = evaluate(run)
    # No cycle is looked for in turbulence.
    assert metrics["rollout"]["amplitude"] is None
    results = load_results(run)
    system = results["config"].system
    for draw, true, predicted in (
        (draw_flow, "true", "predicted"),
        (draw_rollout, "rollout_true", "rollout_predicted"),
    ):
        figure = draw(results)
        images = [axes.collections[0].get_array() for axes in figure.axes[:3]]
        expected = [results[true][0], results[predicted][0], results[predicted][0] - results[true][0]]
        for image, states in zip(images, expected, strict=True):
            np.testing.assert_array_equal(image, states.T)
        assert {axes.get_ylabel() for axes in figure.axes[:3]} == {"position $x$, length 22"}
        # Points lie at the middle of their stripes.
        edges = figure.axes[0].collections[0].get_coordinates()[:, 0, 1]
        np.testing.assert_allclose(
            (edges[1:] + edges[:-1]) / 2, system.defaults[0] / 32 * np.arange(32), atol=1e-9
        )
    assert {path.name for path in plot(run)} >= {"flow.png", "rollout.png"}
    axes = draw_series(sample_dataset(folder)).axes[0]
    assert axes.get_ylabel() == "position $x$, length 22"
    low, high = axes.collections[0].get_clim()
    assert low == -high
