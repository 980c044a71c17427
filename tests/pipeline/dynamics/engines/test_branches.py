"""Roots whose arguments touch zero, poles, ends of domains: closed forms, and rows that may not be called sound."""

import numpy as np
import properties
import pytest
from scipy.integrate import quad
from scipy.special import erf
from trajstore.data import Status
from trajstore.pipeline import (
    EngineError,
    EngineSettings,
    Experiment,
    Parameter,
    System,
    generate,
    make_engine,
    reintegrate,
)
from trajstore.pipeline.config.experiment import DatasetSection
from trajstore.pipeline.config.grid import GridSection
from trajstore.pipeline.config.system import SystemSection
from trajstore.pipeline.dynamics.engines.kinks.branches import bounds, branches
from trajstore.pipeline.dynamics.engines.taylor.guards import Guards

pytestmark = pytest.mark.slow

TIMES = np.linspace(0.0, 10.0, 51)


def system(equations, parameters=None) -> System:
    values = {name: Parameter(value) for name, value in (parameters or {}).items()}
    return System("test", equations, values, dict.fromkeys(equations, (-1.0, 1.0)))


def solve(model, starts, times=TIMES, **settings):
    starts = np.asarray(starts, dtype=np.float64)
    engine = make_engine(model, EngineSettings(**settings))
    return engine.solve(starts, np.tile(model.defaults, (len(starts), 1)).astype(float), np.asarray(times))


def wave(s):
    """The integral of acos(cos(s)) from 0 on: of a triangle between 0 and pi."""
    halves, phase = np.divmod(s, np.pi)
    return halves * np.pi**2 / 2 + np.where(halves % 2 == 0, phase**2, np.pi**2 - (np.pi - phase) ** 2) / 2


def bumps(s):
    """The integral of |sin(s)| from 0 on."""
    halves, phase = np.divmod(s, np.pi)
    return 2 * halves + 1 - np.cos(phase)


# Equations, a start, and the first component's values, by the time.
CLOSED = {
    "rises to 1 and rests": (
        {"x": "sqrt(1 - x**2)"}, [0.3], lambda t: np.sin(np.minimum(t + np.arcsin(0.3), np.pi / 2))
    ),
    "rises to a root and rests": (
        {"x": "sqrt(2 - x**2)"}, [0.0], lambda t: np.sqrt(2) * np.sin(np.minimum(t, np.pi / 2)),
    ),
    "begins where it rests": ({"x": "sqrt(1 - x**2)"}, [1.0], np.ones_like),
    "triangle of acos": ({"x": "acos(cos(t + 0.5))"}, [0.2], lambda t: 0.2 + wave(t + 0.5) - wave(0.5)),
    "triangle of asin": (
        {"x": "asin(sin(y))", "y": "1"}, [0.2, -1.0], 
        lambda t: 0.2 + wave(t + np.pi / 2 - 1) - wave(np.pi / 2 - 1) - np.pi / 2 * t,
    ),
    "a root of time": ({"x": "sqrt(t)"}, [0.4], lambda t: 0.4 + 2 / 3 * t**1.5),
    "a root of a cosine": ({"x": "sqrt(1 - cos(t))"}, [0.4], lambda t: 0.4 + np.sqrt(8) * bumps(t / 2)),
    "a root of a state that touches zero": (
        {"x": "sqrt(y)", "y": "v", "v": "1 - y"}, [0.0, 0.0, 0.0], lambda t: np.sqrt(8) * bumps(t / 2)
    ),
    "a root that hides a square": (
        {"x": "(y**2)**1.5", "y": "1"}, [0.0, -2.0], lambda t: (np.sign(t - 2) * (t - 2) ** 4 + 16) / 4
    ),
    "a power of a sine's square": ({"x": "(y**2)**0.5", "y": "v", "v": "-y"}, [0.0, 0.0, 1.0], bumps),
    "begins at zero and stays": ({"x": "sqrt(x)"}, [0.0], np.zeros_like),
    "a third from zero": ({"x": "y**(1/3)", "y": "1"}, [0.0, 0.0], lambda t: 3 / 4 * t ** (4 / 3)),
    "ends at zero": ({"x": "-sqrt(x)"}, [1.5], lambda t: np.maximum(np.sqrt(1.5) - t / 2, 0) ** 2),
    "ends at zero from below": (
        {"x": "-sign(x)*sqrt(abs(x))"}, [-1.5], lambda t: -np.maximum(np.sqrt(1.5) - t / 2, 0) ** 2,
    ),
    "ends at a number": (
        {"x": "-sign(x - 0.3)*sqrt(abs(x - 0.3))"}, [1.8], lambda t: 0.3 + np.maximum(np.sqrt(1.5) - t / 2, 0) ** 2
    ),
    "a power of a parameter that is whole": ({"x": "y**p", "y": "1"}, [0.0, -2.0], lambda t: ((t - 2) ** 3 + 8) / 3),
    "a touching acosh": ({"x": "acosh(cosh(t - 2))"}, [0.0], lambda t: (np.sign(t - 2) * (t - 2) ** 2 + 4) / 2),
}  # fmt: skip


@pytest.mark.parametrize("name", ["auto", "heyoka", "scipy"])
@pytest.mark.parametrize("case", CLOSED)
def test_where_a_root_touches_zero_a_row_is_that_of_the_closed_form(case, name, time_limit):
    equations, start, expected = CLOSED[case]
    with time_limit(20):
        found = solve(system(equations, {"p": 2.0}), [start], name=name)
    assert not found.status.any()
    np.testing.assert_allclose(found.states[0, :, 0], expected(TIMES), rtol=1e-10, atol=1e-10)


# Equations and a start of which there is no solution to the end.
NONE = {
    "tan of time": ({"x": "tan(t)"}, [0.3]),
    "tan of a state": ({"x": "tan(y)", "y": "1"}, [0.0, 0.2]),
    "a pole in time": ({"x": "1/(t - 1)"}, [0.0]),
    "a pole that is no double": ({"x": "1/(t - 1.7)"}, [0.0]),
    "a double pole": ({"x": "1/(t - 1)**2"}, [0.0]),
    "a double pole that is written out": ({"x": "1/(t**2 - 2*t + 1)"}, [0.0]),
    "a pole of a state": ({"x": "1/(y - 2)", "y": "1"}, [0.0, 0.1]),
    "atanh": ({"x": "atanh(y)**3/(1 - y)", "y": "0.3"}, [0.0, 0.0]),
    "asin": ({"x": "asin(y)", "y": "0.3"}, [0.0, 0.0]),
    "acos": ({"x": "acos(y)", "y": "0.3"}, [0.0, 0.0]),
    "acosh": ({"x": "acosh(y)", "y": "-0.3"}, [0.0, 2.0]),
    "a root": ({"x": "sqrt(y)", "y": "-0.3"}, [0.0, 1.0]),
    "a power": ({"x": "y**0.3", "y": "-0.3"}, [0.0, 1.0]),
    "a power of a parameter": ({"x": "y**p", "y": "-0.3"}, [0.0, 1.0]),
    "beyond where it could rest": ({"x": "sqrt(1 - x**2) + 0.1"}, [0.0]),
    "a root within a root": ({"x": "sqrt(sqrt(y) - 0.5)", "y": "-0.3"}, [0.0, 1.0]),
}
METHODS = ["taylor", "DOP853", "RK45", "LSODA", "Radau", "BDF"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", NONE)
def test_where_there_is_no_solution_a_row_is_not_sound(case, method, time_limit):
    equations, start = NONE[case]
    loose = {} if method == "taylor" else {"name": "scipy", "method": method, "tolerance": 1e-6}
    with time_limit(20):
        found = solve(system(equations, {"p": 0.5}), [start], **loose)
    assert found.status.all()


@pytest.mark.parametrize("step", [0.0, 1e-3])
def test_scipy_does_not_step_over_a_bump_between_its_stages(step):
    """x' = max(0, 0.01 - |t - 4.321|): a triangle of area 1e-4, long after the solver found nothing to do."""
    text = f"(abs(0.01 - abs(t - 4.321 + {step})) + 0.01 - abs(t - 4.321 + {step}))/2"
    found = solve(system({"x": text}), [[0.0]], name="scipy").states[0, :, 0]
    np.testing.assert_allclose(found[[0, 20, 25, 50]], [0.0, 0.0, 1e-4, 1e-4], atol=1e-11)


def test_a_pole_that_can_be_removed_is_none_to_scipy():
    found = solve(system({"x": "sin(y)/y", "y": "1"}), [[0.0, -3.0]], name="scipy")
    from scipy.special import sici

    np.testing.assert_allclose(found.states[0, :, 0], sici(TIMES - 3)[0] + sici(3)[0], atol=1e-10)


NEVER = ["sqrt(1 + x**2)", "log(2 + sin(x))", "1/(1 + exp(-x))", "asin(0.9*tanh(x))", "tan(0.3*sin(x))",
         "p**0.5*x",
         "1/cosh(x)", "x**2.0", "acos(cos(x)/2)", "(1.5 + sign(x))**0.3", "atan(x)/(2 + erf(t))"]  # fmt: skip


@pytest.mark.parametrize("text", NEVER)
def test_branches_that_nothing_reaches_are_known(text):
    model = system({"x": text}, {"p": 2.0})
    found = branches(model.vector_field, (*model.state_symbols, model.time_symbol))
    assert [branch for branch in found if branch.kind.name != "KINK"] == []
    assert "beyond_branches" not in make_engine(model, EngineSettings(name="heyoka")).describe()


def test_bounds_hold_what_they_bound():
    generator = np.random.default_rng(0)
    for seed in range(200):
        model, _ = properties.example(seed)
        for expression in model.vector_field:
            low, high = bounds(expression)
            function = properties.own(model, [expression])
            for t, *state in generator.normal(0, 2, (20, 1 + len(model.states))).tolist():
                try:
                    value = function(abs(t), state, model.defaults)[0]
                except (ArithmeticError, ValueError, TypeError):
                    continue
                if not isinstance(value, complex):
                    assert low - 1e-9 <= value <= high + 1e-9


GUARDED = {
    "two bodies": ({"x": "u", "y": "v", "u": "-x*(x**2 + y**2)**(-3/2)", "v": "-y*(x**2 + y**2)**(-3/2)"}, 4),
    "a root": ({"x": "-0.3*sqrt(x + 2)", "y": "x*log(y + 3)"}, 2),
    "a root between kinks": ({"x": "sign(sin(3*t))*sqrt(x + 2)", "y": "asin(y/3)"}, 2),
}


@pytest.mark.parametrize("case", GUARDED)
def test_rows_that_keep_away_from_branches_keep_their_bits(case, monkeypatch):
    equations, width = GUARDED[case]
    starts = np.random.default_rng(0).uniform(0.5, 0.9, (70, width))
    times = np.linspace(0.0, 1.5, 16)
    guarded = solve(system(equations), starts, times, name="heyoka")
    monkeypatch.setattr(Guards, "of", lambda *_: None)
    free = solve(system(equations), starts, times, name="heyoka")
    assert not free.status.any()
    assert np.array_equal(guarded.states, free.states)


def test_a_row_is_the_same_bit_for_bit_beside_rows_that_come_to_a_branch():
    model = system({"x": "sqrt(1 - x**2)*cos(y)", "y": "0.3"})
    starts = np.random.default_rng(0).uniform(-0.9, 0.9, (14, 2))
    whole = solve(model, starts)
    assert not whole.status.any()
    for rows in ([0], [5, 3], list(range(7, 12))):
        assert np.array_equal(solve(model, starts[rows]).states, whole.states[rows])


@pytest.mark.parametrize("text", ["sqrt(1 - x**2)", "asin(sin(x + t))", "sqrt(t)", "-sign(x)*sqrt(abs(x))"])
def test_rows_beyond_a_branch_are_integrated_again(text, tmp_path):
    section = SystemSection(name="s", equations={"x": text}, initial_state={"x": [0.0, 0.5]})
    config = Experiment(
        system=section,
        grid=GridSection(duration=4.0, points=21),
        dataset=DatasetSection(train=3, dtype="float64"),
    )
    generate(config, tmp_path / "d", 1)
    again = reintegrate(tmp_path / "d" / "train-00000.h5", 3)
    assert (again.rows, again.problems) == (3, [])


def test_a_heyoka_that_is_not_watched_would_be_wrong(monkeypatch):
    monkeypatch.setattr(Guards, "of", lambda *_: None)
    found = solve(system({"x": "acos(cos(t + 0.5))"}), [[0.2]])
    assert (
        found.status[0] != Status.OK
        or np.abs(found.states[0, -1, 0] - CLOSED["triangle of acos"][2](10.0)) > 1e-4
    )


@pytest.mark.parametrize("part", range(4))
def test_random_equations_come_out_as_tiny_steps_say_or_as_failed(part):
    words = []
    with np.errstate(all="ignore"):
        for seed in range(part, 100, 4):
            for text, finding in properties.check(seed, ("auto",)):
                words.append(finding.word)
                assert finding.word != "wrong", f"seed {seed}: {text}: {finding.told}"
    assert words.count("right") > len(words) / 3


@pytest.mark.parametrize(
    ("slope", "oracle"),
    [
        ("tanh(t**4)", lambda t: np.tanh(t**4)),
        ("erf(t**4)", lambda t: erf(t**4)),
        ("t**2*sin(t**2)", lambda t: t**2 * np.sin(t**2)),
        ("t**3", lambda t: t**3),
    ],
)
@pytest.mark.parametrize("points", [2, 9, 41])
def test_a_start_at_which_the_last_orders_vanish_is_no_leap(slope, oracle, points):
    """heyoka takes its steps from two orders alone; where both are zero at the start, it went all the way at once."""
    times, exact = np.linspace(0.0, 4.0, points), quad(oracle, 0.0, 4.0, epsabs=1e-13, limit=500)[0]
    found = solve(system({"x": slope}), [[0.0], [0.5]], times)
    assert not found.status.any()
    np.testing.assert_allclose(found.states[:, -1, 0], [exact, exact + 0.5], rtol=1e-11)
    # So by a state in the place of the time, beside a row that does not leap.
    found = solve(
        system({"s": "1", "x": slope.replace("t", "s").replace("sanh", "tanh")}),
        [[0.0, 0.0], [1e-3, 0.0]],
        times,
    )
    assert found.states[0, -1, 1] == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize("duration", [0.01, 0.1, 1.0])
def test_a_short_row_is_sound_where_rounding_is_all_that_its_terms_leave(duration):
    equations = {"x": "sin(t)**2 + cos(t)**2 - 1", "y": "v", "v": "-y", "d": "1e6*(y - cos(t))"}
    equations |= {"e": "1e6*d", "f": "1e6*e + x"}
    times = np.linspace(0.0, duration, 3)
    found = solve(system(equations), [[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]], times)
    assert not found.status.any()
    np.testing.assert_allclose(found.states[0, :, 1], np.cos(times), rtol=1e-15)
    assert np.abs(found.states[0, :, [0, 3]]).max() < 1e-9


@pytest.mark.parametrize("name", ["auto", "scipy"])
@pytest.mark.parametrize(
    "slope",
    [
        "sqrt(p) + abs(x)",
        "p**0.3*abs(x)",
        "sqrt(p - 2) + sqrt(x)",
        "(p - 3)**(1/3)*sqrt(x)",
        "asin(p - 3) + tan(x)",
        "acosh(p)*sign(x)",
        "tan(x*p**(2/3))",
        "t + x*(p - 3)**(-0.5)",
        "sqrt(asin(p)) + abs(x)",
        "log(p)*sign(x)",
    ],
)
def test_a_root_of_parameters_that_have_none_fails_every_row(slope, name):
    """A little beyond its end a root is taken for zero; of parameters that would be so for good."""
    model = System("test", {"x": slope}, {"p": Parameter(-1.0)}, {"x": (0.0, 1.0)})
    engine = make_engine(model, EngineSettings(name=name))
    found = engine.solve(np.array([[0.5], [1.0]]), np.full((2, 1), -1.0), np.linspace(0.0, 1.0, 5))
    assert found.status.all()


@pytest.mark.parametrize("name", ["auto", "scipy"])
@pytest.mark.parametrize("shift", [0.0, 1.0, 1e-9, 1e9])
@pytest.mark.parametrize(
    "slope", ["abs(sign({x}))", "sign({x})**2", "sign(abs({x}))", "1 - cos(1.5707963267948966*sign({x}))"]
)
def test_no_row_rests_on_a_jump_that_it_goes_through(slope, shift, name):
    """The equations are zero at the jump alone, which has no width."""
    times = np.linspace(0.0, 2.0, 9)
    starts = np.array([[shift - 0.75], [shift]])
    found = solve(system({"x": slope.format(x=f"(x - {shift})")}), starts, times, name=name)
    assert not found.status.any()
    np.testing.assert_allclose(found.states[:, :, 0], starts + times, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize(
    "slope", ["log(sign(x))", "atanh(sign(x))", "acosh(sign(x)) + x", "sqrt(sign(x))", "acosh(asin(sign(x)))"]
)
def test_equations_without_a_value_beyond_a_jump_fail_there_alone(slope):
    found = solve(system({"x": slope}), [[1.0], [-1.0]], np.linspace(0.0, 0.5, 5), name="auto")
    assert found.status[1]
    assert bool(found.status[0]) == ("atanh" in slope)
    if slope != "atanh(sign(x))":
        with pytest.raises(EngineError, match=r"leave name out, or name .scipy."):
            make_engine(system({"x": slope}), EngineSettings(name="heyoka"))


@pytest.mark.parametrize("seed", [1593, 1822, 1857, 2570, 4256, 5548, 6286])
def test_what_random_equations_found_once_stays_mended(seed):
    with np.errstate(all="ignore"):
        assert {finding.word for _, finding in properties.check(seed)} <= {"right", "failed"}
