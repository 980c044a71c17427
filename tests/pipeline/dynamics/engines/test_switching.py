"""Kinks and jumps: closed forms, solutions put together of pieces, and rows that nobody can follow."""

import h5py
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from trajstore.data import Status
from trajstore.pipeline import (
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
from trajstore.pipeline.dynamics.engines.kinks.switching import Switch

pytestmark = pytest.mark.slow


def system(equations, parameters=None) -> System:
    values = {name: Parameter(value) for name, value in (parameters or {}).items()}
    return System("test", equations, values, dict.fromkeys(equations, (-1.0, 1.0)))


def solve(model, starts, times, **settings):
    starts = np.asarray(starts, dtype=np.float64)
    engine = make_engine(model, EngineSettings(**settings))
    assert engine.describe()["name"] == settings.get("name", "heyoka")
    return engine.solve(starts, np.tile(model.defaults, (len(starts), 1)).astype(float), np.asarray(times))


def test_a_bang_bang_oscillator_is_a_chain_of_parabolas():
    """x'' = -sign(x) from rest at a: a quarter of the period takes sqrt(2 a)."""
    times, heights = np.linspace(0.0, 30.0, 61), np.random.default_rng(0).uniform(0.1, 3.0, 40)
    found = solve(system({"x": "v", "v": "-sign(x)"}), np.c_[heights, 0 * heights], times)
    quarter = np.sqrt(2 * heights)[:, None]
    phase = times % (4 * quarter)
    mirrored = np.where(phase < 2 * quarter, phase, 4 * quarter - phase)
    falling = heights[:, None] - mirrored**2 / 2
    expected = np.where(mirrored < quarter, falling, -heights[:, None] + (2 * quarter - mirrored) ** 2 / 2)
    np.testing.assert_allclose(found.states[:, :, 0], expected, atol=1e-12)


def test_a_kinked_spring_is_sines_on_one_side_and_exponentials_on_the_other():
    """x'' = -|x| from rest at 1."""
    times = np.linspace(0.0, 4.0, 41)
    found = solve(system({"x": "v", "v": "-abs(x)"}), [[1.0, 0.0]], times).states[0]
    after = times - np.pi / 2
    np.testing.assert_allclose(found[:, 0], np.where(after < 0, np.cos(times), -np.sinh(after)), atol=1e-12)
    np.testing.assert_allclose(found[:, 1], np.where(after < 0, -np.sin(times), -np.cosh(after)), atol=1e-12)


def test_a_ball_thrown_up_with_quadratic_drag_rises_as_tan_and_falls_as_tanh():
    times, speeds = np.linspace(0.0, 3.0, 31), np.array([0.0, 0.3, 1.0, 5.0])
    found = solve(system({"v": "-1 - v*abs(v)"}), speeds[:, None], times)
    after = times - np.arctan(speeds)[:, None]
    expected = np.where(after < 0, -np.tan(np.minimum(after, 0)), -np.tanh(after))
    np.testing.assert_allclose(found.states[:, :, 0], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("kinked", "smooth", "start"),
    [
        ({"x": "v", "v": "-sin(x) - v*abs(v)"}, {"x": "0", "v": "0"}, [0.0, 0.0]),
        ({"x": "(x + abs(x))/2 - x", "v": "cos(t)*abs(v)"}, {"x": "0", "v": "cos(t)*v"}, [0.0, 1.0]),
        ({"x": "v", "v": "-v*abs(v) - x + t**3"}, {"x": "v", "v": "-v**2 - x + t**3"}, [0.0, 0.0]),
        ({"x": "v", "v": "-v*abs(v) - x - t**3"}, {"x": "v", "v": "v**2 - x - t**3"}, [0.0, 0.0]),
        ({"x": "-t**2 + abs(asinh(x))"}, {"x": "-t**2 - asinh(x)"}, [0.0]),
    ],
)
def test_a_row_may_begin_at_rest_on_a_kink(kinked, smooth, start):
    """No derivative there tells a side: heyoka meets one event after the other, and never gets on."""
    times = np.linspace(0.0, 2.0, 21)
    found, expected = solve(system(kinked), [start], times), solve(system(smooth), [start], times)
    assert not found.status.any()
    np.testing.assert_allclose(found.states, expected.states, rtol=1e-10, atol=1e-13)


def test_a_square_wave_is_integrated_to_a_triangle():
    times = np.linspace(0.0, 20.0, 101)
    found = solve(system({"x": "sign(sin(t))", "y": "x*sign(cos(3*t))**2"}), [[0.0, 0.0]], times).states[0]
    triangle = np.arccos(np.cos(times))
    np.testing.assert_allclose(found[:, 0], triangle, atol=1e-12)
    halves, phase = np.divmod(times, np.pi)
    area = halves * np.pi**2 / 2 + np.where(halves % 2 == 0, phase**2, np.pi**2 - (np.pi - phase) ** 2) / 2
    np.testing.assert_allclose(found[:, 1], area, atol=1e-11)


def test_a_kink_within_a_kink_moves_the_inner_ones_surface():
    times, model = np.linspace(0.0, 4.0, 41), system({"x": "abs(abs(x) - 1) - 0.5"})
    found = solve(model, [[-0.6], [0.2], [1.2], [-3.0]], times).states[:, :, 0]
    # The slope is 0.5 - |x| within 1 and |x| - 1.5 beyond.
    expected = [
        -0.5 - 0.1 * np.exp(times),
        0.5 - 0.3 * np.exp(-times),
        None,
        -1.5 - 1.5 * np.exp(-times),
    ]
    leaves = np.log(5.0)
    expected[0] = np.where(times < leaves, expected[0], -1.5 + 0.5 * np.exp(-(times - leaves)))
    falls = np.log(0.5 / 0.3)
    expected[2] = np.where(times < falls, 1.5 - 0.3 * np.exp(times), 0.5 + 0.5 * np.exp(-(times - falls)))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def pushed(times: np.ndarray, start: float) -> np.ndarray:
    """x' = 2 sin(t) - sign(x), which rests at 0 wherever |2 sin(t)| < 1, by its pieces."""
    path, time, value, side = np.empty(len(times)), times[0], start, np.sign(start)
    path[0] = start

    def leaving(time):
        drive = 2 * np.sin(time)
        return 0.0 if abs(drive) < 1 else np.sign(drive)

    side = side or leaving(time)
    while time < times[-1]:
        if side == 0:
            ends = np.pi * np.arange(20) + np.pi / 6
            end = min(ends[ends > time + 1e-9].min(), times[-1])
            piece = np.zeros_like
            after = np.sign(np.sin(end))
        else:

            def piece(t, time=time, value=value, side=side):
                return value - side * (t - time) - 2 * (np.cos(t) - np.cos(time))

            fine = np.linspace(time + 1e-6, times[-1], 20_001)
            crossed = np.flatnonzero(side * piece(fine) < 0)
            end = (
                brentq(piece, *fine[crossed[0] - 1 : crossed[0] + 1], xtol=1e-15)
                if len(crossed)
                else times[-1]
            )
            after = leaving(end)
        here = (times > time) & (times <= end)
        path[here] = piece(times[here])
        time, value, side = end, 0.0, after
    return path


def test_a_state_slides_where_both_sides_hold_it_and_leaves_where_one_lets_go():
    times, starts = np.linspace(0.0, 20.0, 201), [1.0, -1.0, 0.0, 0.2, -0.7]
    model = system({"x": "a*sin(t) - sign(x)"}, {"a": 2.0})
    found = solve(model, np.array(starts)[:, None], times).states[:, :, 0]
    assert (found == 0).any() or (np.abs(found) < 1e-14).sum() > 20
    np.testing.assert_allclose(found, [pushed(times, start) for start in starts], atol=1e-13)


FRICTION = {"x": "v", "v": "-x + cos(w*t) - f*sign(v - b)"}


def stick_slip(start, parameters, times):
    """A block on a belt: SciPy from event to event, with a mode of its own for sticking."""
    w, f, b = parameters
    time, state = times[0], np.array(start)
    path, sticks = np.full((len(times), 2), np.nan), 0
    path[0], mode = state, np.sign(state[1] - b)

    def load(t, y):
        return -y[0] + np.cos(w * t)

    def terminal(function, direction):
        function.terminal, function.direction = True, direction
        return function

    while time < times[-1]:
        if mode == 0:
            rhs = lambda t, y: [b, 0.0]  # noqa: E731
            events = [
                terminal(lambda t, y: load(t, y) - f, 1),
                terminal(lambda t, y: load(t, y) + f, -1),
            ]
        else:
            rhs = lambda t, y, mode=mode: [y[1], load(t, y) - f * mode]  # noqa: E731
            events = [terminal(lambda t, y, mode=mode: mode * (y[1] - b), -1)]
        piece = solve_ivp(
            rhs, (time, times[-1]), state, "DOP853", rtol=1e-13, atol=1e-14, events=events, dense_output=True,
            max_step=0.05,
        )  # fmt: skip
        here = (times > time) & (times <= piece.t[-1])
        if here.any():
            path[here] = piece.sol(times[here]).T
        time, state = piece.t[-1], piece.y[:, -1].copy()
        if piece.status != 1:
            break
        state[1] = b
        if mode == 0:
            mode = 1.0 if len(piece.t_events[0]) else -1.0
        elif abs(load(time, state)) < f:
            mode, sticks = 0, sticks + 1
        else:
            mode = -mode
    return path, sticks


def test_a_block_on_a_belt_sticks_and_slips_as_friction_says():
    parameters = {"w": 0.7, "f": 0.4, "b": 0.3}
    times, starts = np.linspace(0.0, 40.0, 201), np.random.default_rng(7).uniform(-1.5, 1.5, (5, 2))
    found = solve(system(FRICTION, parameters), starts, times)
    assert not found.status.any()
    stuck = 0
    for row, start in zip(found.states, starts, strict=True):
        expected, sticks = stick_slip(start, parameters.values(), times)
        stuck += sticks
        np.testing.assert_allclose(row, expected, atol=1e-11)
    assert stuck >= 3


CIRCUIT = {
    "x": "15.6*(y - x + 0.714*x + 0.2145*(abs(x + 1) - abs(x - 1)))",
    "y": "x - y + z",
    "z": "-28*y",
}


def circuit(start, times):
    """Chua's circuit, linear in three regions, each by the exponential of its matrix up to its edge."""
    from scipy.linalg import expm

    def region(x):
        return np.sign(x) * (abs(x) > 1)

    def flow(where, span, state):
        slope = -1 + 0.714 + (0.429 if where == 0 else 0.0)
        matrix = np.zeros((4, 4))
        matrix[:3] = [[15.6 * slope, 15.6, 0, 15.6 * 0.429 * where], [1, -1, 1, 0], [0, -28, 0, 0]]
        return (expm(matrix * span) @ [*state, 1.0])[:3]

    path, time, state, where = [np.array(start)], times[0], np.array(start), region(start[0])
    for end in times[1:]:
        while True:
            left = end - time
            spans = np.linspace(0, left, 9)[1:]
            last = 0.0
            for span in spans:
                edge = flow(where, span, state)[0]
                outside = abs(edge) > 1 if where == 0 else where * edge < 1
                if outside:
                    wall = where or np.sign(edge)
                    span = brentq(
                        lambda s, *now: flow(now[0], s, now[1])[0] - now[2],
                        last,
                        span,
                        (where, state, wall),
                        1e-15,
                    )
                    state, time = flow(where, span, state), time + span
                    where = wall if where == 0 else 0.0
                    state[0] = wall * (1 + (1e-15 if where else -1e-15))
                    break
                last = span
            else:
                break
        state, time = flow(where, left, state), end
        path.append(state)
    return np.array(path)


def test_chuas_circuit_is_what_its_three_linear_regions_make_of_it():
    times, starts = (
        np.linspace(0.0, 5.0, 51),
        np.array([[1.1, -0.1, -0.8], [0.2, 0.1, -0.3], [-1.9, 0.2, 1.0]]),
    )
    found = solve(system(CIRCUIT), starts, times)
    for row, start in zip(found.states, starts, strict=True):
        expected = circuit(start, times)
        assert (np.diff(np.abs(expected[:, 0]) > 1) != 0).any()
        np.testing.assert_allclose(row, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("equations", "width"),
    [(CIRCUIT, 3), ({"x": "v", "v": "-x + cos(t) - 0.4*sign(v - 0.3)"}, 2)],
    ids=["kinks", "jumps"],
)
def test_a_row_is_the_same_bit_for_bit_in_any_company(equations, width):
    model, times = system(equations), np.linspace(0.0, 8.0, 41)
    starts = np.random.default_rng(0).uniform(-2, 2, (700, width))
    whole = solve(model, starts, times)
    assert not whole.status.any()
    for rows in ([0], [5, 3], list(range(17, 90))):
        assert np.array_equal(solve(model, starts[rows], times).states, whole.states[rows])


LOST = {
    "two trajectories begin": ({"x": "sign(x)", "y": "0"}, [0.0, 0.0]),
    "it rests by no rule that is known": ({"x": "y", "y": "-sign(x)"}, [0.0, 0.0]),
    "it meets the surface ever faster": ({"x": "y", "y": "-sign(x) - 0.5*sign(y)"}, [1.0, 0.2]),
    "it slides into a corner": ({"x": "-sign(x)", "y": "-sign(y)"}, [1.0, 2.0]),
}


@pytest.mark.parametrize("case", LOST)
def test_a_row_that_cannot_be_followed_fails_soon_and_leaves_its_neighbours_alone(case, time_limit):
    equations, start = LOST[case]
    model, times = system(equations), np.linspace(0.0, 20.0, 21)
    # The neighbours meet nothing before the grid ends, or are lost as well.
    others = [[30.0, 50.0], [40.0, 60.0], [25.0, 80.0]]
    with time_limit(20):
        mixed = solve(model, [others[0], start, *others[1:]], times)
    assert mixed.status.tolist() == [Status.OK, Status.SOLVER_FAILED, Status.OK, Status.OK]
    assert np.isnan(mixed.states[1]).all()
    assert np.array_equal(mixed.states[[0, 2, 3]], solve(model, others, times).states)


def test_a_crossing_that_was_missed_is_noticed(monkeypatch):
    from trajstore.pipeline.dynamics.engines.taylor.events import Events

    monkeypatch.setattr(Events, "_on_meeting", lambda *_: lambda *_: True)
    found = solve(system({"x": "v", "v": "-sign(x)"}), [[1.0, 0.0], [90.0, 0.0]], np.linspace(0.0, 10.0, 11))
    assert found.status.tolist() == [Status.SOLVER_FAILED, Status.OK]


def test_a_state_that_slides_on_unheld_is_noticed(monkeypatch):
    def never_leave(self, number, time, state, values, sides):
        return sides, number + 1

    monkeypatch.setattr(Switch, "leave", never_leave)
    model = system({"x": "2*sin(t) - sign(x)"})
    found = solve(model, [[0.2], [90.0]], np.linspace(0.0, 20.0, 21))
    assert found.status.tolist() == [Status.SOLVER_FAILED, Status.OK]


def test_surfaces_are_told_from_afar():
    """The time and the states are so large that rounding moves the surfaces by more than a tiny state."""
    times = np.linspace(1e5, 1e5 + 60, 61)
    found = solve(system({"x": "sign(sin(t))"}), [[0.0], [0.3]], times)
    assert not found.status.any()
    triangle = np.arccos(np.cos(times))
    np.testing.assert_allclose(np.diff(found.states[:, :, 0]), [np.diff(triangle)] * 2, atol=1e-9)


def test_signs_of_parameters_are_signs_zero_included():
    model = system({"x": "sign(p) + abs(p)*sign(q)"}, {"p": 1.0, "q": 1.0})
    engine = make_engine(model, EngineSettings())
    parameters = np.array([[0.0, 1.0], [2.0, 0.0], [-2.0, -3.0], [0.5, 1.0]])
    found = engine.solve(np.zeros((4, 1)), parameters, np.array([0.0, 1.0])).states[:, 1, 0]
    np.testing.assert_allclose(found, [0.0, 1.0, -3.0, 1.5], rtol=1e-15)


@pytest.mark.parametrize("text", ["-sign(x)", "1 - abs(x)", "-x + sqrt((x - 1)**2)"])
def test_pieces_that_are_analytic_are_for_taylor_series(text):
    assert EngineSettings().resolve(system=system({"x": text})).name == "heyoka"


@pytest.mark.parametrize(
    "text", ["-abs(x)**0.5", "sqrt(x + abs(x))", "abs(x)**p", " + ".join(f"abs(x - {n})" for n in range(60))]
)
def test_roots_of_kinks_and_very_many_of_them_are_left_to_scipy(text):
    assert EngineSettings().resolve(system=system({"x": text}, {"p": 0.3})).name == "scipy"


@pytest.mark.parametrize("power", range(2, 10))
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_whole_powers_pass_through_zero(power, shift):
    model = system({"x": "1", "y": f"(x - c)**{power}"}, {"c": shift})
    times = np.linspace(0.0, 2.0, 11)
    found = solve(model, [[shift, 0.0], [shift - 1, 0.0]], times).states[:, :, 1]
    expected = [times ** (power + 1), (times - 1) ** (power + 1) - (-1) ** (power + 1)]
    np.testing.assert_allclose(found, np.array(expected) / (power + 1), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("altered", [False, True])
def test_rows_that_stick_are_integrated_again(altered, tmp_path):
    box = {"x": [-1.5, 1.5], "v": [-1.5, 1.5]}
    section = SystemSection(
        name="belt", equations=FRICTION, parameters={"w": 0.7, "f": 0.4, "b": 0.3}, initial_state=box
    )
    config = Experiment(
        system=section,
        grid=GridSection(duration=20.0, points=41),
        dataset=DatasetSection(train=6, dtype="float64"),
    )
    generate(config, tmp_path / "d", 1)
    file = tmp_path / "d" / "train-00000.h5"
    if altered:
        with h5py.File(file, "r+") as opened:
            opened["state"][3, 30, 1] += 1e-6
    again = reintegrate(file, 6)
    assert (again.rows, "taylor" in again.engine, len(again.problems)) == (6, True, int(altered))


def test_scipy_gives_a_row_up_that_slides(time_limit):
    model, times = system({"x": "0.5*sin(t) - sign(x)"}), np.linspace(0.0, 20.0, 21)
    for method in ("DOP853", "LSODA"):
        with time_limit(20):
            found = solve(model, [[1.0], [90.0]], times, name="scipy", method=method)
        assert found.status.tolist() == [Status.STEP_LIMIT, Status.OK]


@pytest.mark.parametrize("far", [0.5, 1e3, 1e9, 1e15])
def test_a_component_that_no_surface_mentions_does_not_decide(far):
    """v' = -c sign(v) comes to rest after |v0| / c, wherever x is."""
    speeds, times = np.linspace(4e-5, 6e-5, 11), np.linspace(0.0, 10.0, 21)
    starts = np.c_[np.full(11, far), speeds]
    found = solve(system({"x": "v", "v": "-c*sign(v)"}, {"c": 1e-5}), starts, times)
    assert not found.status.any()
    expected = np.maximum(speeds[:, None] - 1e-5 * times, 0)
    np.testing.assert_allclose(found.states[:, :, 1], expected, atol=1e-18)


HEIGHTS = np.linspace(0.451, 2.301, 50)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e4, 1e6, 1e8])
def test_a_surface_is_the_same_however_its_g_is_scaled(scale):
    """x'' = -x - f sign(x'): half a period about f, half about -f, until it rests within them."""
    times, starts = np.linspace(0.0, 20.0, 81), HEIGHTS[:, None] * [1.0, 0.0]
    found = solve(system({"x": "v", "v": "-x - 0.2*sign(k*v)"}, {"k": scale}), starts, times)
    assert not found.status.any()
    halves, expected = np.floor(times / np.pi), np.empty((len(starts), len(times)))
    for row, height in enumerate(HEIGHTS):
        for column, (time, half) in enumerate(zip(times, halves, strict=True)):
            # Each half takes 2 f off the height.
            turns = min(int(half), int(np.ceil((height - 0.2) / 0.4)))
            left = (height - 0.4 * turns) * (-1) ** turns
            centre = 0.2 * (-1) ** turns
            moves = turns == half and abs(left) > 0.2
            expected[row, column] = centre + (left - centre) * np.cos(time - half * np.pi) if moves else left
    np.testing.assert_allclose(found.states[:, :, 0], expected, atol=1e-12)


@pytest.mark.parametrize("rate", [1e-300, 1e-14, 1e-5, 1e5, 1e150])
def test_a_rate_has_no_size_of_its_own(rate):
    """x' = c (1 - 2 sign(x)) falls by c to 0 or rises by 3 c to it, and stays."""
    times = np.linspace(0.0, 10.0, 21)
    found = solve(system({"x": "c*(1 - 2*sign(x))"}, {"c": rate}), [[4 * rate], [-6 * rate]], times)
    assert not found.status.any()
    expected = [np.maximum(4 - times, 0), np.minimum(-6 + 3 * times, 0)]
    np.testing.assert_allclose(found.states[:, :, 0] / rate, expected, atol=1e-12)


def rubbing_on_one_half(x, v, times):
    """x'' = -x - c x' + 0.3 |x| - 2 mu sign(x') where x > 0, without rubbing where x < 0; put together of pieces."""
    c, mu = 0.1, 0.2
    found, time = [np.array([x, v])], times[0]
    state, wanted = np.array([x, v]), times[1:]
    while len(wanted):
        right, way = state[0] > 0, np.sign(state[1])
        if state[0] == 0:
            right = state[1] > 0
        if state[1] == 0:
            pull = -state[0] + 0.3 * abs(state[0])
            if right and abs(pull) < 2 * mu:
                found += [state] * len(wanted)
                break
            way = np.sign(pull)

        def field(_, y, right=right, way=way):
            return [y[1], -y[0] - c * y[1] + 0.3 * abs(y[0]) - (2 * mu * way if right else 0.0)]

        # No event may be the one that the piece begins with.
        hits = [lambda _, y: y[0], lambda _, y: y[1]]
        for hit in hits:
            hit.terminal = True
        soon = time + 1e-9
        first = solve_ivp(field, (time, soon), state, rtol=1e-13, atol=1e-15, method="DOP853")
        piece = solve_ivp(
            field,
            (soon, times[-1] + 1),
            first.y[:, -1],
            "DOP853",
            dense_output=True,
            events=hits,
            rtol=1e-13,
            atol=1e-15,
        )
        seen = wanted[wanted <= piece.t[-1]]
        found += [piece.sol(moment) for moment in seen]
        wanted, time, state = wanted[len(seen) :], piece.t[-1], piece.y[:, -1].copy()
        for index, hit in enumerate(piece.t_events):
            if len(hit):
                state[index] = 0.0
    return np.array(found)


@pytest.mark.parametrize(
    "rubbing",
    [
        "mu*sign(v) + mu*sign(x*v)",
        "mu*sign(v) - mu*sign(-2*x*v)",
        "mu*sign(v**3) + mu*sign(v*x/2 + 0*v)",
        "mu*sign(mu*v) + mu*sign(x**2*v + x*v)*sign(x + 1)",
    ],
)
def test_two_jumps_on_one_surface_are_one(rubbing):
    """For x < 0 both signs cancel, so that no state may rest there."""
    model = system({"x": "v", "v": f"-x - c*v + 0.3*abs(x) - ({rubbing})"}, {"c": 0.1, "mu": 0.2})
    times, starts = np.linspace(0.0, 8.0, 17), np.random.default_rng(0).uniform(-3, 3, (12, 2))
    found = solve(model, starts, times)
    assert not found.status.any()
    expected = np.array([rubbing_on_one_half(*start, times) for start in starts])
    assert (np.abs(expected[:, -1, 1]) > 0.01).any()
    assert (expected[:, -1, 1] == 0).any()
    np.testing.assert_allclose(found.states, expected, atol=1e-9)


def test_jumps_that_touch_without_a_common_factor_are_given_up_where_they_do():
    """sin(x) and sin(2 x) are zero together at x = 0, where a state is held by both."""
    model = system({"x": "-sign(sin(x)) - sign(sin(2*x))"})
    found = solve(model, [[0.5], [2.0]], np.linspace(0.0, 3.0, 31), name="heyoka")
    assert list(found.status) == [Status.SOLVER_FAILED, Status.OK]
