"""Code of a user's own: found, run only for who trusts it, known by its hash, and refused in words."""

import json
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from trajstore.data import TrajstoreError
from trajstore.models import Section, WindowModel
from trajstore.pipeline import RunError, evaluate, load_config, load_trained, train
from trajstore.pipeline.cli.main import main

NET = """
import torch
from torch import nn
from trajstore.models import Section, WindowModel
from trajstore.data import Task

with open(__file__ + ".ran", "a") as file:
    file.write("x")


class Net(WindowModel):
    class Settings(Section):
        length: int = 3
        width: int = 4

    def __init__(self, input_size, output_size, *, length, width):
        super().__init__()
        self.length = length
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(length * input_size, output_size))

    def foretell(self, window):
        return self.layers(window)


class Absolute(Net):
    def loss(self, inputs, targets):
        return (self(inputs) - targets).abs().mean()


class Nothing:
    pass
"""
LATE = """
from trajstore.pipeline import Metric


class Late(Metric):
    over = "rollouts"

    def add(self, batch):
        pass

    def result(self):
        return {"late": 3}
"""
CONFIG = """
[system]
name = "van-der-pol"
[grid]
duration = 2.0
step = 0.1
[dataset]
train = 70
validation = 20
test = 10
[task]
name = "forecast"
[model]
name = "mine.py:Net"
[training]
steps = 4
batch = 8
evaluate_every = 2
[evaluation]
rollouts = 2
rollout_lengths = 2
"""


@pytest.fixture
def config(tmp_path):
    """The config, beside the file that it names."""
    (tmp_path / "mine.py").write_text(NET)
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path / "config.toml"


def forget() -> None:
    """As in another process, where the code has not run yet."""
    for name in [name for name in sys.modules if name.startswith("trajstore_own_")]:
        del sys.modules[name]


def ran(folder: Path) -> int:
    """How often the code of files in a folder was run."""
    return sum(len(path.read_text()) for path in folder.rglob("*.ran"))


def test_reading_a_config_runs_nothing_and_notes_the_hash(config):
    found = load_config(config)
    assert found.model.sha256 is not None
    assert not ran(config.parent)


def test_it_trains_and_every_setting_is_part_of_what_the_run_is(config, small_dataset, tmp_path):
    train(load_config(config), small_dataset, tmp_path / "run")
    stored = json.loads((tmp_path / "run/config.json").read_text())["config"]["model"]
    assert stored == {
        "name": "mine.py:Net",
        "sha256": load_config(config).model.sha256,
        "length": 3,
        "width": 4,
    }
    train(load_config(config, ["model.width=4"]), small_dataset, tmp_path / "run", resume=True)
    with pytest.raises(RunError, match=r"model.width is 4 there, 5 here"):
        train(load_config(config, ["model.width=5"]), small_dataset, tmp_path / "run", resume=True)


def test_an_edited_file_is_another_run(config, small_dataset, tmp_path):
    train(load_config(config), small_dataset, tmp_path / "run")
    (tmp_path / "mine.py").write_text(NET + "# edited")
    with pytest.raises(RunError, match=r"model\.sha256"):
        train(load_config(config), small_dataset, tmp_path / "run", resume=True)


@pytest.mark.slow
def test_a_run_is_loaded_where_it_is_moved_to_and_runs_nothing_unless_it_is_trusted(
    config, small_dataset, tmp_path
):
    train(load_config(config), small_dataset, tmp_path / "run")
    (tmp_path / "mine.py").unlink()
    run = (tmp_path / "run").rename(tmp_path / "moved")
    forget()
    before = ran(tmp_path)
    for load in (load_trained, lambda path: evaluate(path, small_dataset)):
        with pytest.raises(TrajstoreError, match=r"mine.py:Net: .*--trust-code"):
            load(run)
    result = CliRunner().invoke(main, ["evaluate", str(run), "--data", str(small_dataset)])
    assert result.exit_code == 2
    assert ran(tmp_path) == before
    judged = evaluate(run, small_dataset, trust_code=True)
    assert ran(tmp_path) > before
    assert judged["model"] == {"name": "mine.py:Net", "parameters": (3 * 2 + 1) * 2}
    _, model = load_trained(run, trust_code=True)
    _, again = load_trained(run / "best.pt", trust_code=True)
    inputs = torch.randn(2, 5, 2)
    assert torch.equal(model(inputs), again(inputs))


def test_a_metric_that_is_asked_for_afterwards_is_a_file_of_the_current_folder(
    config, small_dataset, tmp_path, monkeypatch
):
    run, here = tmp_path / "run", tmp_path / "here"
    train(load_config(config), small_dataset, run)
    here.mkdir()
    (here / "late.py").write_text(LATE)
    monkeypatch.chdir(here)
    arguments = ["evaluate", str(run), "--data", str(small_dataset), "--trust-code", "--json", "--set"]
    done = CliRunner().invoke(main, [*arguments, 'evaluation.metrics=["late.py:Late"]'])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rollout"]["late"] == 3
    done = CliRunner().invoke(main, [*arguments, 'evaluation.metrics=["later.py:Late"]'])
    assert done.exit_code == 2
    assert "later.py cannot be read" in done.output


def test_a_class_that_is_given_runs_no_code_of_the_run(config, small_dataset, tmp_path):
    class Mine(WindowModel):
        def __init__(self, input_size, output_size, *, length, width):
            super().__init__()
            self.length = length
            self.layers = torch.nn.Sequential(
                torch.nn.Flatten(), torch.nn.Linear(length * input_size, output_size)
            )

        def foretell(self, window):
            return self.layers(window)

    train(load_config(config), small_dataset, tmp_path / "run")
    forget()
    before = ran(tmp_path)
    _, model = load_trained(tmp_path / "run", models={"mine.py:Net": Mine})
    assert isinstance(model, Mine)
    assert ran(tmp_path) == before


def test_a_copy_that_was_changed_is_not_run(config, small_dataset, tmp_path):
    train(load_config(config), small_dataset, tmp_path / "run")
    (copy,) = (tmp_path / "run/code").glob("*.py")
    copy.write_text(copy.read_text() + "# edited")
    with pytest.raises(RunError, match="was it edited since"):
        load_trained(tmp_path / "run", trust_code=True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mine.py:Net2", "mine.py has no 'Net2'; it has Net, Absolute, Nothing"),
        ("mine.py:Nothing", "no model; expected a class derived from Model"),
        ("absent.py:Net", "absent.py cannot be read"),
        ("os.path:join", "no model; expected a class derived from Model"),
        ("no_such_package.net:Net", "cannot be imported"),
        ("broken.py:Net", "line 2: NameError"),
        ("syntax.py:Net", "line 1: SyntaxError"),
        ("lsmt", "Did you mean lstm"),
    ],
)
def test_what_is_no_model_is_refused_in_words(config, small_dataset, tmp_path, name, told):
    (tmp_path / "broken.py").write_text("import os\nnothing\n")
    (tmp_path / "syntax.py").write_text("class Net(:\n")
    arguments = ["train", str(config), "--data", str(small_dataset), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, [*arguments, "--set", f"model.name='{name}'"])
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())
    assert not (tmp_path / "run/best.pt").exists()


def test_a_key_that_it_does_not_have_is_told_with_those_that_it_has(config, small_dataset, tmp_path):
    unknown = r"model\.wdth: unknown key; known here are length, width. Did you mean width"
    with pytest.raises(TrajstoreError, match=unknown):
        train(load_config(config, ["model.wdth=3"]), small_dataset, tmp_path / "run")
    with pytest.raises(TrajstoreError, match=r"model\.width: got 'x'"):
        train(load_config(config, ["model.width='x'"]), small_dataset, tmp_path / "run")


def test_a_loss_of_its_own_is_learned_from_told_as_such_and_not_refined(config, small_dataset, tmp_path):
    own = ["model.name='mine.py:Absolute'", "training.steps=60"]
    assert train(load_config(config, own), small_dataset, tmp_path / "run").loss_units == "own"
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < losses[0]
    with pytest.raises(RunError, match="has a loss of its own"):
        train(load_config(config, [*own, "refinement.steps=2"]), small_dataset, tmp_path / "refined")
    second = [*own, "training.learner={name='levenberg-marquardt'}"]
    with pytest.raises(RunError, match=r"^levenberg-marquardt: .*or training\.learner where that names it"):
        train(load_config(config, second), small_dataset, tmp_path / "second")


class Sum(WindowModel):
    """Of the last three inputs."""

    class Settings(Section):
        pass

    length = 3

    def foretell(self, window):
        return window.sum(dim=1)


def test_a_window_model_gives_the_same_step_by_step_in_pieces_and_at_once():
    inputs = torch.randn(4, 11, 2, dtype=torch.float64)
    whole = Sum()(inputs)
    torch.testing.assert_close(whole[:, 5], inputs[:, 3:6].sum(dim=1))
    memory, steps = None, []
    for now in inputs.unbind(1):
        output, memory = Sum().step(now, memory)
        steps.append(output)
    torch.testing.assert_close(torch.stack(steps, dim=1), whole)
    first, memory = Sum().run(inputs[:, :4])
    rest, _ = Sum().run(inputs[:, 4:], memory)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)
