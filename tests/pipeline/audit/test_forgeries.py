"""What is wrong by a millionth of a component's own scale is found, at every scale, in any component, anywhere."""

import json

import numpy as np
import pytest
from no_false_alarms import in_units, own, run
from trajstore.data import TrajstoreError, read_shard, verify
from trajstore.data.base.hashing import canonical_json
from trajstore.pipeline import generate, reintegrate

pytestmark = pytest.mark.slow

FILE = "train-00000.h5"
ROWS = 8
PENDULUM = own("pendulum", {"q": "p", "p": "-sin(q)"}, {"q": [-1.0, 1.0], "p": [-1.0, 1.0]})
LORENZ = own(
    "lorenz",
    {"x": "10*(y - x)", "y": "x*(28 - z) - y", "z": "x*y - 8/3*z"},
    {"x": [1.0, 10.0], "y": [1.0, 10.0], "z": [10.0, 20.0]},
)
ROBERTSON = own(
    "robertson",
    {"a": "-0.04*a + 1e4*b*c", "b": "0.04*a - 1e4*b*c - 3e7*b**2", "c": "3e7*b**2"},
    {"a": [0.9, 1.1], "b": [0.0, 0.0], "c": [0.0, 0.0]},
)
GROWTH = own("growth", {"x": "x", "y": "-y"}, {"x": [1.0, 2.0], "y": [1.0, 2.0]})
TRIANGLES = own(
    "triangles", {"x": "acos(cos(t)) - 1", "y": "asin(sin(t))*x"}, {"x": [0.0, 1.0], "y": [0.0, 1.0]}
)
CASES = {
    "tiny": (PENDULUM, [1e-15, 1e-15], 10.0),
    "huge": (PENDULUM, [1e15, 1e15], 10.0),
    "small beside large": (PENDULUM, [1e-6, 1e6], 10.0),
    "chaos in mixed units": (LORENZ, [1e-15, 1e15, 1.0], 30.0),
    "growing beside decaying": (GROWTH, [1e-9, 1e6], 20.0),
    "beyond branches": (TRIANGLES, [1e-9, 1e6], 4.0),
}


def made(experiment, folder, system, units, duration, rows=ROWS, points=151, **sections):
    """A folder of rows in double precision, which pass."""
    measured = in_units(system, dict(zip(system["equations"], units, strict=True)))
    dataset = {"train": rows, "validation": 0, "test": 0, "dtype": "float64", **sections.pop("dataset", {})}
    grid = {"duration": duration, "points": points}
    generate(experiment(system=measured, grid=grid, dataset=dataset, **sections), folder, jobs=1)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_forgeries_of_every_kind_are_found_at_every_scale_and_nothing_else(experiment, forge, tmp_path, case):
    sound = made(experiment, tmp_path / "dataset", *CASES[case])
    shard = read_shard(sound / FILE)
    state, random = shard.state.copy(), np.random.default_rng(0)
    scale = np.maximum.accumulate(np.abs(state), axis=1)
    components = random.permutation(np.resize(np.arange(state.shape[2]), ROWS))
    places = random.integers(1, state.shape[1], ROWS)
    places[:2] = 1, state.shape[1] - 1
    for row, (place, component) in enumerate(zip(places, components, strict=True)):
        if row < 4:
            # One number alone, by a millionth of what its component has been.
            state[row, place, component] += random.choice([-1, 1]) * 1e-6 * scale[row, place, component]
        elif row == 4:
            state[row, 1:, component] *= -3
        elif row == 5:
            state[row, 1:, component] *= -1
        elif row == 6:
            # A step late.
            state[row, 100:, component] = state[row, 99:-1, component]
    forge(sound, FILE, state=state)
    assert verify(sound) == []
    found = reintegrate(sound, ROWS)
    assert [line.split(": ")[1] for line in found.problems] == [f"row {row}" for row in range(ROWS - 1)]
    for line, component in zip(found.problems[:4], components, strict=False):
        assert f" {shard.components[component]} is off by " in line
    assert found.judged > 0.99


def test_a_species_that_is_always_small_cannot_be_off_by_a_millionth_of_itself(experiment, forge, tmp_path):
    sound = made(experiment, tmp_path / "dataset", ROBERTSON, [1.0, 1.0, 1.0], 40.0, rows=2, points=41)
    state = read_shard(sound / FILE).state.copy()
    assert state[..., 1].max() < 4e-5
    state[0, 20, 1] *= 1.00001
    state[1, 1:, 1] *= 1.05
    forge(sound, FILE, state=state)
    found = reintegrate(sound, 2)
    assert [line.split(" is off")[0] for line in found.problems] == [
        f"{FILE}: row {row}: b" for row in (0, 1)
    ]
    assert found.judged == 1.0


def test_noise_and_slopes_are_held_to_their_own_scales(experiment, forge, tmp_path):
    observation = {"components": ["q"], "noise": {"relative": 0.01}, "clean": True, "derivative": True}
    sound = made(
        experiment,
        tmp_path / "dataset",
        PENDULUM,
        [1e-9, 1e9],
        6.0,
        rows=4,
        points=61,
        observation=observation,
    )
    assert reintegrate(sound, 4).problems == []
    shard = read_shard(sound / FILE)
    state, optional = shard.state.copy(), {name: values.copy() for name, values in shard.optional.items()}
    state[0, 30] += 1e-6 * np.abs(state[0]).max()
    for row, name in ((1, "clean_state"), (2, "derivative")):
        optional[name][row, 30] += 1e-6 * np.abs(optional[name][row]).max()
    forge(sound, FILE, state=state, optional=optional)
    found = reintegrate(sound, 4).problems
    assert [line.split(":")[1] for line in found] == [" row 0", " row 1", " row 2"]
    assert ["the states" in found[0], "clean_state" in found[1], "derivative" in found[2]] == [True] * 3


def test_what_rounding_leaves_of_a_difference_accuses_nobody(experiment, tmp_path):
    # x is 0 but for the last digits of its terms, and d for those of y and z.
    system = own(
        "cancelling",
        {"x": "sin(t)**2 + cos(t)**2 - 1", "y": "v", "v": "-y", "d": "1e6*(y - cos(t))"},
        {"x": [0.0, 0.0], "y": [1.0, 1.0], "v": [0.0, 0.0], "d": [0.0, 0.0]},
    )
    folder = made(experiment, tmp_path / "dataset", system, [1.0] * 4, 6.0, rows=2, points=61)
    found = reintegrate(folder, 2)
    assert found.problems == []
    # Nobody can tell what x and d should be, and all of y and v.
    assert found.judged == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("units", [1e-9, 1e9])
def test_what_an_older_engine_promised_is_enough(experiment, forge, tmp_path, units):
    sound = made(experiment, tmp_path / "dataset", PENDULUM, [units, units], 10.0, points=61)
    shard = read_shard(sound / FILE)
    engine = json.loads(str(shard.attributes["engine"]))
    old = {key: value for key, value in engine.items() if key != "revision"}
    # Errors were held to 1 and the largest number.
    state = shard.state.copy()
    state[:, 1:] += 1e-16 * (1 + np.abs(state).max())
    forge(sound, FILE, state=state, attributes={"engine": canonical_json(old)})
    assert reintegrate(sound, ROWS).problems == []
    forge(sound, FILE, attributes={"engine": canonical_json(engine)})
    assert bool(reintegrate(sound, ROWS).problems) == (units < 1)
    state[3, 20] *= -3 if units > 1 else -3e6
    forge(sound, FILE, state=state, attributes={"engine": canonical_json(old)})
    (problem,) = reintegrate(sound, ROWS).problems
    assert "row 3" in problem


@pytest.mark.parametrize("status", [2, 3])
def test_a_row_that_its_engine_gives_up_by_its_own_rules_is_not_called_sound(
    experiment, forge, tmp_path, status
):
    engine = {"name": "scipy", "max_steps": 2} if status == 2 else {}
    folder = made(
        experiment, tmp_path / "dataset", PENDULUM, [1.0, 1.0], 50.0, rows=3, points=5, engine=engine
    )
    shard = read_shard(folder / FILE)
    if status == 2:
        assert (shard.status == 2).all()
        assert reintegrate(folder, 3).problems == []
        return
    shard.status[1], shard.state[1] = 3, np.nan
    forge(folder, FILE, state=shard.state, status=shard.status)
    (problem,) = reintegrate(folder, 3).problems
    assert "row 1: is stored as failed, but does not fail" in problem


@pytest.mark.parametrize("points", [2, 3])
def test_grids_of_few_points_are_judged(experiment, forge, tmp_path, points):
    folder = made(experiment, tmp_path / "dataset", PENDULUM, [1.0, 1e-9], 1.0, rows=3, points=points)
    found = reintegrate(folder, 3)
    assert (found.problems, found.judged) == ([], 1.0)
    assert reintegrate(folder, 0).rows == 0
    state = read_shard(folder / FILE).state.copy()
    state[1, -1, 1] *= 1.00001
    forge(folder, FILE, state=state)
    assert len(reintegrate(folder, 100).problems) == 1


# Of all kinds; `tests/no_false_alarms.py` tries 200.
@pytest.mark.parametrize("number", [2, 4, 5, 6, 10, 11, 13, 17, 18, 20, 22, 24])
def test_no_sound_dataset_of_a_random_config_is_accused(tmp_path, number):
    found = run(number, 0, tmp_path)
    assert (found.problems, found.rows) == ([], 3)


@pytest.mark.parametrize("units", [1e-300, 1e-250, 1e-40])
def test_numbers_near_the_least_are_judged_by_their_scale_as_all_others(experiment, forge, tmp_path, units):
    sound = made(experiment, tmp_path / "dataset", GROWTH, [units, units], 2.0, rows=2, points=11)
    found = reintegrate(sound, 2)
    assert found.problems == []
    assert found.judged == 1.0
    state = read_shard(sound / FILE).state.copy()
    state[1, 5, 1] *= 1 + 1e-6
    forge(sound, FILE, state=state)
    assert [line.split(":")[1] for line in reintegrate(sound, 2).problems] == [" row 1"]


@pytest.mark.parametrize(("dtype", "units"), [("float32", 1e-50), ("float32", 1e-39), ("float64", 1e-310)])
def test_what_is_too_small_for_the_stored_type_is_refused(experiment, tmp_path, dtype, units):
    with pytest.raises(TrajstoreError, match=r"state of y is .* at most, and float.. keeps all digits"):
        made(experiment, tmp_path / "dataset", GROWTH, [1.0, units], 1.0, dataset={"dtype": dtype})


def test_what_is_nothing_at_all_or_for_a_while_is_not_too_small(experiment, tmp_path):
    pulse = own("pulse", {"x": "-x", "y": "-400*(t - 0.5)*y"}, {"x": [0.0, 0.0], "y": [1e-39, 1e-39]})
    folder = made(experiment, tmp_path / "dataset", pulse, [1.0, 1.0], 1.0, dataset={"dtype": "float32"})
    state = read_shard(folder / FILE).state
    assert state[:, :, 1].max() > 1e-20
    assert (np.abs(state[:, 0, 1]) < np.finfo(np.float32).tiny).all()
