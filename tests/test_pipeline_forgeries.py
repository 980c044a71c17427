"""What is wrong by a millionth of a component's own scale is found, at every scale, in any component, anywhere."""

import numpy as np
import pytest
from no_false_alarms import in_units, own
from trajstore.data import read_shard
from trajstore.data.verification import verify
from trajstore.pipeline.generate import generate
from trajstore.pipeline.reintegrate import reintegrate

FILE = "train-00000.h5"
ROWS = 8
SYSTEMS = {
    "pendulum": (own("pendulum", {"q": "p", "p": "-sin(q)"}, {"q": [-1.0, 1.0], "p": [-1.0, 1.0]}), 10.0),
    "lorenz": (
        own(
            "lorenz",
            {"x": "10*(y - x)", "y": "x*(28 - z) - y", "z": "x*y - 8/3*z"},
            {"x": [1.0, 10.0], "y": [1.0, 10.0], "z": [10.0, 20.0]},
        ),
        40.0,
    ),
    "robertson": (
        own(
            "robertson",
            {"a": "-0.04*a + 1e4*b*c", "b": "0.04*a - 1e4*b*c - 3e7*b**2", "c": "3e7*b**2"},
            {"a": [0.9, 1.1], "b": [0.0, 0.0], "c": [0.0, 0.0]},
        ),
        40.0,
    ),
    "growth": (own("growth", {"x": "x", "y": "-y"}, {"x": [1.0, 2.0], "y": [1.0, 2.0]}), 20.0),
}
CASES = [
    *[("pendulum", [unit] * 2) for unit in (1e-15, 1e-9, 1.0, 1e9, 1e15)],
    ("pendulum", [1e-6, 1e6]),
    ("lorenz", [1.0, 1.0, 1.0]),
    ("lorenz", [1e-15, 1e15, 1.0]),
    ("robertson", [1.0, 1.0, 1.0]),
    ("growth", [1e-6, 1e6]),
]


@pytest.fixture(scope="module", params=CASES, ids=str)
def sound(request, experiment, tmp_path_factory):
    """A folder of rows of two hundred points in double precision, which pass."""
    name, units = request.param
    system, duration = SYSTEMS[name]
    measured = in_units(system, dict(zip(system["equations"], units, strict=True)))
    folder = tmp_path_factory.mktemp("sound") / "dataset"
    dataset = {"train": ROWS, "validation": 0, "test": 0, "dtype": "float64"}
    generate(
        experiment(system=measured, grid={"duration": duration, "points": 201}, dataset=dataset),
        folder,
        jobs=1,
    )
    found = reintegrate(folder, ROWS)
    assert found.problems == []
    assert found.judged > 0.999
    assert found.coarsely == 1.0
    return folder


def test_forgeries_of_every_kind_and_size_are_found(sound, forge):
    shard = read_shard(sound / FILE)
    state, random = shard.state.copy(), np.random.default_rng(0)
    scale = np.maximum.accumulate(np.abs(state), axis=1)
    components = random.permutation(np.resize(np.arange(state.shape[2]), ROWS))
    places = random.integers(1, state.shape[1], ROWS)
    places[:2] = 1, state.shape[1] - 1
    for row, (place, component) in enumerate(zip(places, components, strict=True)):
        if row < 5:
            # One number alone, by a millionth of what its component has been.
            state[row, place, component] += random.choice([-1, 1]) * 1e-6 * scale[row, place, component]
        elif row == 5:
            state[row, 1:, component] *= -3
        elif row == 6:
            state[row, 1:, component] *= -1
        else:
            # A step late.
            state[row, 100:, component] = state[row, 99:-1, component]
    forge(sound, FILE, state=state)
    assert verify(sound) == []
    problems = reintegrate(sound, ROWS).problems
    assert [line.split(": ")[1] for line in problems] == [f"row {row}" for row in range(ROWS)]
    for line, component in zip(problems[:6], components, strict=False):
        assert f" {shard.components[component]} is off by " in line
    forge(sound, FILE, state=shard.state)
