"""The table of correctness: it passes what is right, and finds what is wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.pipeline import InitialStates, Parameter, System, get_system
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.dynamics import check as check_systems
from trajstore.pipeline.dynamics.check import Check, check_system, energy_change, horizon, natural_period
from trajstore.pipeline.dynamics.engines import Solution
from trajstore.pipeline.dynamics.lyapunov import Spectrum

pytestmark = pytest.mark.slow


def around_the_origin(name: str) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.8, 0.8, (8, len(get_system(name).states)))


def orbits(name: str) -> np.ndarray:
    return InitialStates(kind=name).rows(get_system(name), 0, "train", 0, 8)


def box(name: str) -> np.ndarray:
    return InitialStates().rows(get_system(name), 0, "train", 0, 8)


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("mass-spring", box),
        ("harmonic", box),
        ("pendulum", box),
        ("henon-heiles", box),
        ("double-pendulum", around_the_origin),
        ("two-body", orbits),
        ("two-body", box),
        # Near the figure of eight; the near-circular triangle is unstable, and ends in close encounters.
        ("three-body", box),
    ],
)
def test_energy_is_conserved_over_a_hundred_periods(name, starts):
    for start in starts(name):
        assert energy_change(get_system(name), start[None]) <= 1e-11


def test_a_drift_of_the_energy_is_found():
    system = get_system("harmonic")
    damped = replace(system, equations={"x": "v", "v": "-omega**2*x - 1e-12*v"})
    # E' = -1e-12 v^2, on average -1e-12 E, over 100 periods.
    starts = np.array([[1.0, 0.0]])
    assert energy_change(damped, starts) == pytest.approx(1e-12 * 200 * np.pi, rel=0.1)
    assert not replace(check_system(system, 2), drift=1e-10).passed


@pytest.mark.parametrize("name", ["van-der-pol", "lorenz", "chua", "forced-van-der-pol"])
def test_systems_agree_with_an_independent_integration(name):
    check = check_system(get_system(name))
    assert check.passed
    assert 0 < check.deviation <= 1e-8
    assert (check.engine, check.reference) == ("heyoka", "DOP853")


def test_stiff_rows_are_taken_over_by_an_implicit_method(monkeypatch):
    monkeypatch.setattr(check_systems, "EXPLICIT_STEPS", 100)
    stiff = replace(get_system("van-der-pol"), parameters={"mu": Parameter(100.0)}, period=3.0)
    check = check_system(stiff, 1)
    assert check.reference == "DOP853 and Radau"
    assert check.passed


def test_a_solver_that_errs_is_found(monkeypatch):
    right = check_systems._reference

    def wrong(*arguments):
        solution, name = right(*arguments)
        return Solution(solution.states + 1e-4, solution.status), name

    def fails(*arguments):
        solution, name = right(*arguments)
        return Solution(solution.states, np.array([3, 0, 0, 0], dtype=np.int8)), name

    monkeypatch.setattr(check_systems, "_reference", wrong)
    off = check_system(get_system("lorenz"))
    assert not off.passed
    assert 1e-7 < off.deviation < 1e-4
    done = CliRunner().invoke(main, ["systems", "--check", "lorenz"])
    assert done.exit_code == 1
    assert "off: lorenz" in done.output
    monkeypatch.setattr(check_systems, "_reference", fails)
    assert check_system(get_system("lorenz")).deviation == np.inf


@pytest.mark.parametrize("unit", ["1e-12", "1.0", "1e12"])
def test_an_error_of_a_small_component_is_found_in_any_unit(monkeypatch, unit):
    equations = {"x": "y", "y": "-x", "z": f"{unit}*x - z"}
    small = System("small", equations, {}, {"x": (0.5, 1.0), "y": (0.0, 0.0), "z": (0.0, 0.0)}, period=6.0)
    assert check_system(small).passed
    right = check_systems._reference

    def wrong(*arguments):
        solution, name = right(*arguments)
        solution.states[..., 2] *= 1 + 1e-5
        return solution, name

    monkeypatch.setattr(check_systems, "_reference", wrong)
    check = check_system(small)
    assert not check.passed
    assert check.deviation == pytest.approx(1e-5, rel=1e-3)


def test_the_horizon_is_a_few_lyapunov_times_or_periods():
    system = System("s", {"x": "-x"}, {}, {"x": (0.0, 1.0)}, period=2.0)
    assert horizon(system) == 10.0
    assert horizon(replace(system, lyapunov=0.5)) == 6.0
    assert horizon(replace(system, lyapunov=-0.5)) == 10.0
    assert horizon(replace(system, lyapunov=1e-3)) == 20.0


@pytest.mark.parametrize(
    ("name", "period"),
    [("mass-spring", np.pi), ("harmonic", 2 * np.pi), ("van-der-pol", 6.287), ("brusselator", 7.157)],
)
def test_the_period_is_measured(name, period):
    # As well if the system states a wrong one.
    system = replace(get_system(name), period=1.3 * period)
    assert natural_period(system) == pytest.approx(period, rel=2e-3)


def test_the_command_prints_a_table_and_exits_0():
    done = CliRunner().invoke(main, ["systems", "--check", "harmonic", "sine-cosine"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("| system")
    assert lines[1].startswith("| ---")
    assert [line.split("|")[1].strip() for line in lines[2:4]] == ["harmonic", "sine-cosine"]
    assert "all pass" in lines[-1]


def test_the_command_measures_exponents(monkeypatch):
    from trajstore.pipeline.dynamics import lyapunov

    short = lyapunov.spectrum
    monkeypatch.setattr(lyapunov, "spectrum", lambda system: short(system, periods=5, transient=2))
    done = CliRunner().invoke(main, ["systems", "lorenz", "--lyapunov"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0] == "lorenz"
    assert "Kaplan-Yorke dimension 2.0" in done.output


def test_what_is_measured_comes_as_json(monkeypatch):
    from trajstore.pipeline.dynamics import lyapunov

    done = CliRunner().invoke(main, ["systems", "sine-cosine", "--check", "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.output)
    assert (facts["name"], facts["sound"], facts["passed"]) == ("sine-cosine", 4, True)
    assert facts["energy_drift"] is None
    assert facts["deviation"] < 1e-7
    assert facts["measured_period"] == pytest.approx(2 * np.pi, rel=2e-3)
    found = Spectrum(np.array([0.5, -1.0]), np.array([np.nan, np.nan]), 1, 20.0)
    monkeypatch.setattr(lyapunov, "spectrum", lambda _: found)
    done = CliRunner().invoke(main, ["systems", "lorenz", "chua", "--lyapunov", "--json"])
    one, other = json.loads(done.output)
    assert (one["name"], other["name"]) == ("lorenz", "chua")
    assert one["exponents"] == [0.5, -1.0]
    assert one["standard_errors"] == [None, None]
    assert one["kaplan_yorke_dimension"] == 1.5


def test_a_check_that_fails_says_so_in_json_and_by_its_exit_code(monkeypatch):
    check = Check(get_system("lorenz"), 1.0, "a", "b", 4, 4, np.inf, None)
    monkeypatch.setattr(check_systems, "check_system", lambda _: check)
    monkeypatch.setattr(check_systems, "natural_period", lambda _: np.nan)
    done = CliRunner().invoke(main, ["systems", "lorenz", "chua", "--check", "--json"])
    assert done.exit_code == 1
    facts = json.loads(done.output)
    assert [(one["passed"], one["deviation"], one["measured_period"]) for one in facts] == [
        (False, None, None)
    ] * 2


@pytest.mark.parametrize(
    "options",
    [
        ["--check", "--lyapunov"],
        ["--check", "--plot", "x.png"],
        ["--lyapunov", "--plot", "x.png"],
        ["--plot", "x.png", "--json"],
    ],
)
def test_options_that_do_not_go_together_are_refused(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["systems", "lorenz", *options])
    assert done.exit_code == 2
    given = " and ".join(sorted(one for one in options if one.startswith("--")))
    assert f"{given} do not go together; run the command once for each" in done.output
    assert not list(tmp_path.iterdir())


def test_a_flow_is_not_named_beside_the_list_of_all():
    done = CliRunner().invoke(main, ["systems", "--dysts", "Lorenz"])
    assert done.exit_code == 2
    assert "name dysts:Lorenz" in done.output


@pytest.mark.parametrize(
    "arguments", [["--plot", "x.png"], ["--lyapunov"], ["lorenz", "chua", "--plot", "x.png"]]
)
def test_options_of_one_system_need_its_name(arguments):
    done = CliRunner().invoke(main, ["systems", *arguments])
    assert done.exit_code == 2
    assert "need the NAME" in done.output
