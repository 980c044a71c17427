"""Mistakes in code of a user's own: refused before training where that can be, and in words."""

import json

import pytest
from trajstore.data import TrajstoreError
from trajstore.pipeline import evaluate, load_config, plot, train

OWN = """
import numpy as np
from torch import nn
from trajstore.data import Task
from trajstore.models import Model, WindowModel
from trajstore.pipeline import Learner, Metric


class Right(WindowModel):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.length, self.layer = 2, nn.Linear(inputs, self.width(outputs))
        self.norm = nn.BatchNorm1d(inputs)

    def width(self, outputs):
        return outputs

    def foretell(self, window):
        return self.layer(self.norm(window[:, -1]))


class Column(Right):
    def width(self, outputs):
        return 1


class Wide(Right):
    def width(self, outputs):
        return outputs + 1


class Pair(Right):
    def forward(self, inputs):
        return self.run(inputs)


class NoForetell(WindowModel):
    pass


class NoForward(Model):
    def step(self, inputs, memory=None):
        return inputs, None


class NoStep(Model):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, inputs):
        return self.layer(inputs)


class Next(Task):
    minimum_length = 2

    def inputs(self, states, beside):
        return states[:, :-1]

    def targets(self, states, beside):
        return states[:, 1:]

    def target_times(self, times):
        return times[1:]


class Broad(Next):
    def targets(self, states, beside):
        return states[:, 1:].repeat(1, 1, 3)

    def go_on(self, model, history, steps, channels, length):
        return history


class NoTargets(Task):
    def inputs(self, states, beside):
        return states


class NoMove(Learner):
    pass


class Given(Metric):
    key = "given"
    value = 1.0

    def add(self, batch):
        pass

    def result(self):
        return self.value


class NumPy(Given):
    value = {"a": np.float32(0.5), "b": [np.int64(3), np.nan], "c": np.arange(2)}


class Best(Given):
    value = 2.5
    better = {"given": "higher"}


class NoKey(Given):
    key = None


class Clash(Given):
    key = "mse"


class Odd(Given):
    value = {1, 2}


class NoAdd(Metric):
    key = "none"

    def result(self):
        return 1.0


def text(results):
    return "a figure"


def loss(results):
    return None
"""
CONFIG = """
[task]
name = "forecast"
[model]
name = "own.py:Right"
[training]
steps = 2
batch = 16
evaluate_every = 2
schedule = "constant"
[evaluation]
rollouts = 2
rollout_lengths = 2
baselines = []
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "own.toml").write_text(CONFIG)
    return tmp_path / "own.toml"


@pytest.mark.parametrize(
    ("key", "name", "told"),
    [
        ("model.name", "Column", r"gives \(B, 20, 1\) of inputs \(B, 20, 2\), expected \(B, 20, 2\)"),
        ("model.name", "Wide", r"gives \(B, 20, 3\) of inputs"),
        ("model.name", "Pair", "gives a tuple of inputs"),
        (
            "model.name",
            "NoForetell",
            "has no `foretell`; every model of that base, WindowModel, has to have it",
        ),
        ("model.name", "NoForward", "has no `forward`; every model of that base, Model,"),
        ("model.name", "NoStep", "has no `step`, which rollouts of the task forecast need"),
        ("task.name", "Next", "does not say how a network .* goes on, for rollouts; expected `go_on`"),
        ("task.name", "Broad", r"gives targets \(B, 20, 6\), but they are of 2 components \(x1, x2\)"),
        ("task.name", "NoTargets", "has no `targets`; every task of that base, Task,"),
        ("training.learner.name", "NoMove", "has no `step`; every learner of that base, Learner,"),
        ("evaluation.figures", "loss", "another figure is called loss, and would be written over"),
    ],
)
def test_what_cannot_be_learned_is_refused_before_anything_is_made(
    config, small_dataset, tmp_path, key, name, told
):
    value = f'["own.py:{name}"]' if key == "evaluation.figures" else f"'own.py:{name}'"
    with pytest.raises(TrajstoreError, match=told):
        train(load_config(config, [f"{key}={value}"]), small_dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_looking_at_a_sample_leaves_running_moments_as_they_were(
    config, small_dataset, tmp_path, monkeypatch
):
    curves = []
    for name in ("looked", "blind"):
        train(load_config(config), small_dataset, tmp_path / name)
        rows = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        curves.append([{k: v for k, v in json.loads(row).items() if k != "seconds"} for row in rows])
        monkeypatch.setattr("trajstore.pipeline.learn.train.check_shapes", lambda *_: None)
    assert curves[0] == curves[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("NoKey", "metric NoKey: has no `key`, and its result is 1.0"),
        ("Clash", "metric Clash: gives 'mse', which another metric gives"),
        ("Odd", "a metric gives .*, a set; expected a number"),
        ("NoAdd", "has no `add`; every metric of that base, Metric,"),
    ],
)
def test_what_a_metric_gives_is_refused_in_words(config, small_dataset, tmp_path, name, told):
    train(load_config(config), small_dataset, tmp_path / "run")
    names = [f"own.py:{name}"]
    (tmp_path / "run/code/own.py").write_text(OWN)
    with pytest.raises(TrajstoreError, match=told):
        evaluate(tmp_path / "run", overrides=[f"evaluation.metrics={json.dumps(names)}"], trust_code=True)


@pytest.mark.slow
def test_numbers_of_numpy_and_what_is_not_finite_are_written_as_json_has_them(
    config, small_dataset, tmp_path
):
    train(load_config(config, ['evaluation.metrics=["own.py:NumPy"]']), small_dataset, tmp_path / "run")
    evaluate(tmp_path / "run", trust_code=True)
    found = json.loads((tmp_path / "run/metrics.json").read_text())["test"]["given"]
    assert found == {"a": 0.5, "b": [3, None], "c": [0, 1]}


def test_one_that_says_which_value_is_better_chooses_weights(config, small_dataset, tmp_path):
    chosen = ['training.select="given"', 'evaluation.metrics=["own.py:Best"]']
    train(load_config(config, chosen), small_dataset, tmp_path / "run")
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert last["selected"] == 2.5


@pytest.mark.slow
def test_what_is_no_figure_is_refused_in_words(config, small_dataset, tmp_path):
    train(load_config(config, ['evaluation.figures=["own.py:text"]']), small_dataset, tmp_path / "run")
    evaluate(tmp_path / "run", trust_code=True)
    with pytest.raises(
        TrajstoreError, match=r"own\.py:text: gave 'a figure', no figure; expected a matplotlib"
    ):
        plot(tmp_path / "run", trust_code=True)
