"""Tasks: what goes in and what is to come out."""

import pytest
import torch
from trajstore.data import DataError
from trajstore.data.tasks.registry import TASKS, get_task

# Of those that need some.
SETTINGS = {"observe": {"inputs": ["a"], "targets": ["b", "c"]}}
STATES = torch.arange(1.0, 25.0).reshape(2, 4, 3)


def test_initial_value_shows_the_first_state_alone_and_wants_the_whole_trajectory():
    inputs, targets = get_task("initial-value").batch(STATES)
    assert torch.equal(inputs[:, 0], STATES[:, 0])
    assert not inputs[:, 1:].any()
    assert torch.equal(targets, STATES)


def test_forecast_wants_the_next_state_at_every_step():
    inputs, targets = get_task("forecast").batch(STATES)
    assert inputs.shape == targets.shape == (2, 3, 3)
    for step in range(3):
        assert torch.equal(inputs[:, step], STATES[:, step])
        assert torch.equal(targets[:, step], STATES[:, step + 1])


@pytest.mark.parametrize("name", TASKS.own)
def test_a_task_leaves_the_states_as_they_were(name):
    states = STATES.clone()
    task = get_task(name, **SETTINGS.get(name, {})).on(("a", "b", "c"))
    inputs, _ = task.batch(states, beside=dict.fromkeys(task.variables, STATES))
    assert torch.equal(states, STATES)
    assert inputs.dtype == states.dtype


def test_an_unknown_task_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"foresee.*initial-value, forecast"):
        get_task("foresee")
