"""Learners by name: least squares against NumPy's, one of a user's own, and which one a run uses."""

import importlib
import json
import os
import signal

import numpy as np
import pytest
import torch
from torch import nn
from trajstore.data import TrajstoreError
from trajstore.models import ReadoutModel
from trajstore.pipeline import RunError, load_config, load_trained, train
from trajstore.pipeline.config.learners import LeastSquaresSettings
from trajstore.pipeline.config.learning import TrainingSection
from trajstore.pipeline.learn.learner import Context
from trajstore.pipeline.learn.least_squares import LeastSquares
from trajstore.pipeline.runs.files import load_checkpoint

MINE = """
import torch
from torch import nn
from trajstore.models import ReadoutModel, Section
from trajstore.pipeline import Learner


class Squares(ReadoutModel):
    def __init__(self, input_size, output_size):
        super().__init__()
        self.readout = nn.Linear(2 * input_size, output_size)

    def features(self, inputs, memory=None):
        return torch.cat([inputs, inputs.square()], dim=-1), None


class Nudge(Learner):
    class Settings(Section):
        size: float = 0.5

    def __init__(self, context):
        super().__init__(context)
        self.calls = 0

    @torch.no_grad()
    def step(self, number, inputs, targets):
        self.calls += 1
        loss = (self.model(inputs) - targets).square().mean()
        for parameter in self.model.parameters():
            parameter -= self.context.settings.size * self.calls * 1e-3
        return loss

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = state["calls"]
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
name = "mine.py:Squares"
[training]
batch = 16
evaluate_every = 2
"""


class Known(ReadoutModel):
    """Features that are the inputs and their products."""

    def __init__(self, washout=0, bias=True):
        super().__init__()
        self.washout, self.readout = washout, nn.Linear(5, 2, bias=bias, dtype=torch.float64)

    def features(self, inputs, memory=None):
        x, y = inputs.unbind(-1)
        return torch.stack([x, y, x * y, x * x, y * y], dim=-1), None


@pytest.fixture
def config(tmp_path):
    """The config, beside the file that it names."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path / "config.toml"


def data(samples=12, steps=6):
    generator = torch.Generator().manual_seed(0)
    shape = (samples, steps, 2)
    return (torch.randn(shape, dtype=torch.float64, generator=generator) for _ in range(2))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("washout", [0, 2])
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_the_weights_are_those_of_numpys_least_squares_whatever_the_batches(bias, washout, ridge):
    inputs, targets = data()
    found = []
    for batch in (3, 5, 12):
        model = Known(washout, bias)
        learner = LeastSquares(Context(model, LeastSquaresSettings(ridge=ridge), TrainingSection()))
        for number, (x, y) in enumerate(zip(inputs.split(batch), targets.split(batch), strict=True)):
            learner.step(number, x, y)
        found.append(model.readout.weight.detach().numpy())
    features = Known().features(inputs)[0][:, washout:].reshape(-1, 5).numpy()
    told = targets[:, washout:].reshape(-1, 2).numpy()
    if bias:
        features, told = features - features.mean(0), told - told.mean(0)
    # The ridge as rows of its own.
    penalty = np.sqrt(ridge * len(features)) * np.eye(5)
    rows, right = np.concatenate([features, penalty]), np.concatenate([told, np.zeros((5, 2))])
    expected = np.linalg.lstsq(rows, right, rcond=None)[0].T
    for weights in found:
        np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-11)


def test_features_that_depend_on_each_other_have_the_smallest_solution():
    inputs, targets = data()
    inputs[..., 1] = inputs[..., 0]
    model = Known()
    LeastSquares(Context(model, LeastSquaresSettings(ridge=0.0), TrainingSection())).step(0, inputs, targets)
    assert model.readout.weight.abs().max() < 10
    torch.testing.assert_close(model.readout.weight[:, 0], model.readout.weight[:, 1])


@pytest.mark.slow
def test_one_pass_is_enough_and_no_sample_is_left_out(config, small_dataset, tmp_path):
    """70 rows in batches of 16 are five steps, and the model's wish is part of what the run is."""
    end = train(load_config(config), small_dataset, tmp_path / "run")
    assert (end.step, end.stopped_by) == (5, "steps")
    stored = json.loads((tmp_path / "run/config.json").read_text())["config"]["training"]["learner"]
    assert stored == {"name": "least-squares", "ridge": 1e-6}
    sums = load_checkpoint(tmp_path / "run/last.pt")["learner"]["sums"]
    assert sums[4, 4] == 70 * 20
    # More steps than there is a use for change nothing.
    longer = load_config(config, ["training.steps=30_000", "training.schedule=constant"])
    shorter = load_config(config, ["training.schedule=constant"])
    train(shorter, small_dataset, tmp_path / "parts")
    assert train(longer, small_dataset, tmp_path / "parts", resume=True).step == 5
    for name in ("best.pt", "last.pt"):
        here, there = (load_checkpoint(tmp_path / run / name)["model"] for run in ("run", "parts"))
        assert all(torch.equal(here[key], there[key]) for key in here)


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["least-squares", "mine.py:Nudge"])
def test_stopped_and_resumed_is_bit_for_bit_the_same(learner, config, small_dataset, tmp_path, monkeypatch):
    chosen = load_config(config, [f"training.learner.name={learner}", "training.steps=5"])
    train(chosen, small_dataset, tmp_path / "whole")
    kill = {"at": 3}
    module = importlib.import_module("trajstore.pipeline.learn.train")
    step = module._step

    def stepping(phase, batch, now, device):
        if now.phase_step == kill["at"]:
            os.kill(os.getpid(), signal.SIGINT)
        return step(phase, batch, now, device)

    monkeypatch.setattr(module, "_step", stepping)
    with pytest.raises(KeyboardInterrupt):
        train(chosen, small_dataset, tmp_path / "parts")
    kill["at"] = -1
    train(chosen, small_dataset, tmp_path / "parts", resume=True)
    whole, parts = (load_checkpoint(tmp_path / run / "last.pt") for run in ("whole", "parts"))
    assert all(torch.equal(whole["model"][key], parts["model"][key]) for key in whole["model"])
    assert str(whole["learner"]) == str(parts["learner"])


def test_a_learner_of_ones_own_has_keys_and_a_hash_and_its_run_is_loaded_without_it(
    config, small_dataset, tmp_path
):
    own = load_config(
        config, ["training.learner.name=mine.py:Nudge", "training.learner.size=0.25", "training.steps=4"]
    )
    train(own, small_dataset, tmp_path / "run")
    stored = json.loads((tmp_path / "run/config.json").read_text())["config"]["training"]["learner"]
    assert stored == {"name": "mine.py:Nudge", "sha256": own.training.learner.sha256, "size": 0.25}
    assert load_checkpoint(tmp_path / "run/last.pt")["learner"] == {"calls": 4}
    with pytest.raises(TrajstoreError, match=r"training\.learner\.sise: unknown key"):
        train(
            load_config(config, ["training.learner.name=mine.py:Nudge", "training.learner.sise=1"]),
            small_dataset,
            tmp_path / "other",
        )
    (tmp_path / "mine.py").unlink()
    load_trained(tmp_path / "run", trust_code=True)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["training.learner.name=ridge"],
            r"training\.learner\.name: got 'ridge', expected .*'first-order' or ",
        ),
        (["training.learner.ridge=1"], r"training\.learner\.ridge: unknown key; known here are name"),
        (
            ["training.learner.name=least-squares", "training.learner.ridge=-1"],
            r"training\.learner\.ridge: got -1, expected greater than or equal to 0",
        ),
    ],
)
def test_mistakes_in_a_config_are_told_by_their_keys(overrides, message, config):
    with pytest.raises(TrajstoreError, match=message):
        load_config(config, overrides)


def test_a_model_without_a_readout_is_refused_before_anything_is_made(config, small_dataset, tmp_path):
    lstm = load_config(config, ["model.name=lstm", "training.learner.name=least-squares"])
    with pytest.raises(RunError, match=r"training\.learner: least-squares .*lstm has none"):
        train(lstm, small_dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
