"""Numbers of a config are those of its file: a whole number that float64 cannot hold is refused."""

import pytest
from trajstore.pipeline import ConfigError

CONFIG = """
[system]
name = "spring"
equations = { x = "v", v = "-k*x" }
parameters = { k = 1.0 }
initial_state = { x = [-1.0, 1.0], v = [-1.0, 1.0] }
[grid]
duration = 2
points = 21
[dataset]
train = 10
"""
# The first whole number that lies between two of float64, and the last one that does not.
LOST, HELD = 2**53 + 1, 2**53


@pytest.fixture
def load(loader_of):
    return loader_of(CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("system.parameters.k", "{}"),
        ("system.parameters.k", "-{}"),
        ("system.parameters.k", "{{ values = [1, {}] }}"),
        ("system.parameters.k", "{{ grid = [0.0, {}, 3] }}"),
        ("system.parameters.k", "{{ uniform = [0, {}] }}"),
        ("system.parameters_by_split.test.k", "{}"),
        ("system.initial_state.x", "[-1, {}]"),
        ("initial_states", '{{ kind = "normal", std = {{ x = {} }} }}'),
        ("observation.noise.absolute", "{}"),
        ("observation.noise.absolute.x", "{}"),
        ("grid.duration", "{}"),
    ],
)
def test_a_whole_number_that_float64_cannot_hold_is_refused_by_key_and_value(load, key, value):
    with pytest.raises(ConfigError) as caught:
        load(f"{key}={value.format(LOST)}")
    sign = "-" if value.startswith("-") else ""
    assert f"{key.split('=')[0]}" in str(caught.value)
    assert (
        f"got {sign}{LOST}, which float64 cannot hold; the nearest number that it can is {sign}{HELD}"
        in str(caught.value)
    )
    load(f"{key}={value.format(HELD)}")


def test_whole_numbers_that_stay_whole_may_be_any(load):
    assert load(f"dataset.seed={2**63 - 1}").dataset.seed == 2**63 - 1
    assert load(f"training.seed={LOST}").training.seed == LOST
