"""The keys of the task `observe`, and that a config that cannot work is told before anything is made."""

import pytest
from click.testing import CliRunner
from trajstore.pipeline import load_config
from trajstore.pipeline.cli.main import main

CONFIG = """
[system]
name = "circle"
equations = { x = "y", y = "-x" }
initial_state = { x = [-1.0, 1.0], y = [-1.0, 1.0] }
[grid]
duration = 2.0
points = 11
[dataset]
train = 4
[observation]
components = ["x", "y"]
[task]
name = "observe"
inputs = ["x"]
targets = ["y"]
ahead = 0
window = 3
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.toml"


def test_a_config_says_all_of_it(path):
    path.write_text(CONFIG)
    task = load_config(path).task
    assert task.settings == {"inputs": ["x"], "targets": ["y"], "ahead": 0}
    path.write_text(CONFIG.replace("ahead = 0\n", ""))
    assert load_config(path).task == task


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('inputs = ["x"]', 'inputs = ["v"]', "task.inputs: got 'v', but stored are x, y"),
        ('components = ["x", "y"]', 'components = ["x"]', "task.targets: got 'y', but stored are x;"),
        ('inputs = ["x"]', "inputs = []", "task.inputs: got []"),
        ('inputs = ["x"]\n', "", "task.inputs: missing"),
        ('targets = ["y"]', 'targets = ["y", "y"]', "task.targets: expected each name once"),
        ("ahead = 0", "ahead = 2", "task.ahead: got 2, expected 0 or 1"),
        ("window = 3", "window = 12", "task.window: got 12, but the trajectories of [grid] have 11"),
        ("ahead = 0\nwindow = 3", "ahead = 1\nwindow = 1", "expected 2 to 11"),
        ("ahead = 0", "behind = 0", "task.behind: unknown key; known here are"),
    ],
)
def test_what_cannot_be_observed_is_told_with_its_key_and_nothing_is_made(path, before, after, said):
    assert before in CONFIG
    path.write_text(CONFIG.replace(before, after))
    result = CliRunner().invoke(main, ["generate", str(path), "--out", str(path.with_name("out"))])
    assert result.exit_code == 2
    assert said in result.output
    assert not path.with_name("out").exists()


def test_settings_of_the_perceptron_are_checked(path):
    path.write_text(CONFIG + '[model]\nname = "mlp"\nactivation = "sine"\n')
    result = CliRunner().invoke(main, ["generate", str(path), "--out", str(path.with_name("out"))])
    assert result.exit_code == 2
    assert "model.activation: got 'sine', expected 'tanh'" in result.output
