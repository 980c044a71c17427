"""Forced learning: its forcing follows the papers' rule, and a stopped run goes on to the same weights."""

import math
import os
import signal

import numpy as np
import pytest
import torch
from trajstore.data import DataError
from trajstore.models import make_model
from trajstore.pipeline import RunError, load_trained, train
from trajstore.pipeline.config.learners import ForcedSettings
from trajstore.pipeline.config.learning import TrainingSection
from trajstore.pipeline.learn import forced as module
from trajstore.pipeline.learn.first_order import learning_rate
from trajstore.pipeline.learn.forced import Forced
from trajstore.pipeline.learn.learner import Context
from trajstore.pipeline.learn.ranks import Ranks
from trajstore.pipeline.runs.files import load_checkpoint
from trajstore.pipeline.runs.folder import RunConfig

LEARNING = {
    "task": {"name": "forecast", "normalize": True, "window": 15},
    "model": {"name": "shplrnn", "hidden": 8, "units": 3},
    "training": {
        "optimizer": "radam",
        "schedule": "exponential",
        "learning_rate": 0.01,
        "batch": 16,
        "steps": 24,
        "evaluate_every": 9,
        "threads": 1,
    },
}


def sequence(batch=4, steps=12, size=3):
    return torch.randn(batch, steps, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def learner(model, **settings):
    training = TrainingSection(optimizer="sgd", learning_rate=0.1, schedule="constant")
    return Forced(Context(model, ForcedSettings(**settings), training))


def shplrnn(**settings):
    torch.manual_seed(0)
    return make_model("shplrnn", 3, 3, **{"hidden": 9, **settings}).double()


def test_alpha_follows_the_jacobians_at_the_data(monkeypatch):
    """By the paper's rule, with norms by NumPy's singular values and Jacobians by autograd."""
    monkeypatch.setattr(module, "LOOKED_AT", 12)
    model, inputs = shplrnn(), sequence()
    with torch.no_grad():
        model.W1 *= 6
    found = learner(model, alpha=0.1, adapt_every=1)
    pieces = [piece.detach() for piece in model.pieces()]
    step = type(model.pieces())(*pieces).step
    jacobians = [[torch.autograd.functional.jacobian(step, x) for x in row] for row in inputs]
    norms = np.linalg.svd(np.array(jacobians), compute_uv=False)[..., 0]
    growth = np.exp(np.log(norms).mean(axis=1)).max()
    wanted = 1 - 1 / growth
    assert wanted > 0.1
    found.step(0, inputs, inputs)
    assert found.alpha == pytest.approx(wanted, rel=1e-9)
    growth = _growth(shplrnn(), inputs)
    lower = learner(shplrnn(), alpha=1.0, adapt_every=5)
    lower.step(0, inputs, inputs)
    assert lower.alpha == pytest.approx(0.999 + 0.001 * max(0.0, 1 - 1 / growth), rel=1e-3)
    before = lower.alpha
    lower.step(3, inputs, inputs)
    assert lower.alpha == before, "between two looks it stays"


def _growth(model, inputs):
    jacobians = model.pieces().jacobians(inputs).detach().numpy()
    return np.exp(np.log(np.linalg.norm(jacobians, ord=2, axis=(2, 3))).mean(axis=1)).max()


@pytest.mark.parametrize("lost", [math.nan, math.inf, 1e200])
def test_a_network_that_is_lost_is_told_by_its_loss(lost):
    model = shplrnn()
    with torch.no_grad():
        model.W1[0, 0] = lost
    found = learner(model, alpha=0.1, adapt_every=1)
    assert not math.isfinite(found.step(0, sequence(), sequence()))
    assert found.alpha == 1.0


def test_the_loss_is_on_states_before_they_are_drawn_to_the_data():
    """One gradient step, against a loop written out with autograd."""
    inputs, targets = sequence(), sequence().flip(1)
    found, expected = shplrnn(), shplrnn()
    learner(found, forcing="constant", alpha=0.3, penalty=0.01).step(0, inputs, targets)
    w = dict(expected.named_parameters())
    z, total = inputs[:, 0], 0.0
    for t in range(12):
        if t:
            z = 0.7 * z + 0.3 * inputs[:, t]
        z = z * w["A"] + torch.relu(z @ w["W2"].T + w["h2"]) @ w["W1"].T + w["h1"]
        total = total + (z - targets[:, t]).square().sum()
    penalty = (1 - w["A"]).square().sum() + sum(w[k].square().sum() for k in ("W1", "W2", "h1", "h2"))
    (total / inputs.numel() + 0.01 * penalty).backward()
    for name, parameter in expected.named_parameters():
        torch.testing.assert_close(found.state_dict()[name], parameter.data - 0.1 * parameter.grad)


def test_sparse_forcing_replaces_states_at_every_interval():
    assert learner(shplrnn(), forcing="sparse", interval=4)._forcing(9).tolist() == [
        1,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        1,
    ]


def test_noise_is_the_same_in_every_process_and_new_in_every_step():
    inputs = sequence(6)
    alone = learner(shplrnn(), noise=0.1)
    shares = []
    for rank in range(2):
        one = learner(shplrnn(), noise=0.1)
        one._ranks = Ranks(rank, 2)
        shares.append(one._noise(3, inputs[rank::2]))
    whole = alone._noise(3, inputs)
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), whole)
    assert not torch.equal(whole, alone._noise(4, inputs))


def test_the_exponential_schedule_ends_at_its_rate():
    settings = TrainingSection(
        schedule="exponential", learning_rate=1e-3, final_learning_rate=1e-5, steps=100
    )
    rates = [learning_rate(settings, step) for step in (0, 50, 100)]
    np.testing.assert_allclose(rates, [1e-3, 1e-4, 1e-5])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shplrnn", "alrnn", "dendplrnn"])
@pytest.mark.parametrize("forcing", ["adaptive", "constant", "sparse"])
def test_every_one_of_them_trains_by_every_forcing(name, forcing, experiment, small_dataset, tmp_path):
    forced = {
        "name": "forced",
        "forcing": forcing,
        "alpha": 0.5,
        "interval": 3,
        "noise": 0.01,
        "penalty": 1e-5,
    }
    training = {**LEARNING["training"], "steps": 6, "learner": forced}
    config = experiment(**{**LEARNING, "model": {"name": name}, "training": training})
    assert math.isfinite(train(config, small_dataset, tmp_path / "run").best_validation)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "least"),
    [
        ({"name": "shplrnn", "units": 1}, 2),
        ({"name": "dendplrnn", "units": 1}, 2),
        ({"name": "alrnn", "units": 4, "relus": 3}, 5),
    ],
)
def test_fewer_units_than_it_needs_are_refused_and_the_least_will_do(
    model, least, experiment, small_dataset, tmp_path
):
    with pytest.raises(DataError, match=f"model.units: got {model['units']}, but 2 components need {least}"):
        train(experiment(**{**LEARNING, "model": model}), small_dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    training = {**LEARNING["training"], "steps": 2}
    enough = experiment(**{**LEARNING, "model": {**model, "units": least}, "training": training})
    assert train(enough, small_dataset, tmp_path / "run").step == 2


@pytest.mark.slow
def test_the_default_units_of_an_alrnn_follow_what_it_needs(experiment, small_dataset, tmp_path):
    """And where 20 are enough they are those, so that its run is known by the hash that it had."""
    training = {**LEARNING["training"], "steps": 2}
    for relus, units in ((2, 20), (18, 20), (19, 21)):
        runs = []
        for stated in ({}, {"units": units}):
            model = {"name": "alrnn", "relus": relus, **stated}
            runs.append(tmp_path / f"{relus} {len(stated)}")
            train(experiment(**{**LEARNING, "model": model, "training": training}), small_dataset, runs[-1])
        assert load_trained(runs[0])[1].units == units
        assert len({RunConfig.load(run).identity for run in runs}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 7, 18])
def test_stopped_and_resumed_is_bit_for_bit_the_same_forcing_included(
    stop, experiment, small_dataset, tmp_path, monkeypatch
):
    config = experiment(**LEARNING)
    train(config, small_dataset, tmp_path / "whole")
    plain, pending = Forced.step, [stop]

    def stepping(self, number, inputs, targets):
        if [number] == pending:
            pending.pop()
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, number, inputs, targets)

    monkeypatch.setattr(Forced, "step", stepping)
    with pytest.raises(KeyboardInterrupt):
        train(config, small_dataset, tmp_path / "parts")
    train(config, small_dataset, tmp_path / "parts", resume=True)
    whole, parts = (load_checkpoint(tmp_path / run / "last.pt") for run in ("whole", "parts"))
    assert all(torch.equal(whole["model"][key], parts["model"][key]) for key in whole["model"])
    assert whole["learner"]["alpha"] == parts["learner"]["alpha"] < 1


def test_what_it_cannot_learn_is_refused_in_words(experiment, small_dataset, tmp_path):
    initial = experiment(**{**LEARNING, "task": {"name": "initial-value"}})
    with pytest.raises(
        RunError, match=r"model\.name: shplrnn makes the next state .*initial-value.*forecast"
    ):
        train(initial, small_dataset, tmp_path / "run")
    lstm = experiment(**{**LEARNING, "model": {"name": "lstm"}, "training": {"learner": {"name": "forced"}}})
    with pytest.raises(RunError, match=r"training\.learner: forced .*lstm has none"):
        train(lstm, small_dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
