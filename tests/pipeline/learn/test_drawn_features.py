"""Features that are drawn, and weights by least squares: NumPy's, whatever the batches, and gone on with."""

import numpy as np
import pytest
import torch
from trajstore.models import HNN, RandomFeatures
from trajstore.pipeline.config.learners import DrawnFeaturesSettings
from trajstore.pipeline.config.learning import TrainingSection
from trajstore.pipeline.learn import drawn_features
from trajstore.pipeline.learn.drawn_features import DrawnFeatures
from trajstore.pipeline.learn.learner import Context
from trajstore.pipeline.learn.phases import check_learners
from trajstore.pipeline.runs.files import RunError


def pendulum(count=300, seed=0):
    generator = torch.Generator().manual_seed(seed)
    states = 2 * torch.rand(count, 1, 2, generator=generator, dtype=torch.float64) - 1
    q, p = states.unbind(-1)
    return states, torch.stack([2 * p, -3 * torch.sin(q)], dim=-1)


def learner(*, energy=True, ridge=0.0, features=20):
    model = RandomFeatures(2, 2, features=features, energy=energy).double()
    return DrawnFeatures(Context(model, DrawnFeaturesSettings(ridge=ridge), TrainingSection(seed=5)))


@pytest.mark.parametrize("energy", [True, False])
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_weights_are_those_of_ridge_regression_over_all_batches(energy, ridge, monkeypatch):
    # Neither pieces nor batches are alike.
    monkeypatch.setattr(drawn_features, "NUMBERS", 20 * 2 * 70)
    inputs, targets = pendulum()
    found = learner(energy=energy, ridge=ridge)
    for number, batch in enumerate(torch.arange(300).split(110)):
        found.step(number, inputs[batch], targets[batch])
    left, right = (part.numpy() for part in found.model.equations(inputs[:, 0], targets[:, 0]))
    penalty = ridge * len(left) * np.eye(left.shape[1])
    if not energy:
        penalty[-1, -1] = 0
    if ridge:
        expected = np.linalg.solve(left.T @ left + penalty, left.T @ right)
    else:
        expected = np.linalg.lstsq(left, right, rcond=None)[0]
    missed = left @ expected - right
    weights = [values.detach().numpy().T for values in found.model.last.parameters()]
    fitted = left @ np.concatenate([np.atleast_2d(part) for part in weights]) - right
    np.testing.assert_allclose(fitted, missed, atol=1e-7)
    if ridge:
        np.testing.assert_allclose(weights[0], expected[:20], rtol=1e-6, atol=1e-8)


def test_the_energy_of_a_pendulum_is_learned_to_rounding_by_one_step():
    inputs, targets = pendulum(1000)
    found = learner(features=300)
    found.step(0, inputs, targets)
    fresh, slopes = pendulum(200, seed=9)
    assert (found.model(fresh) - slopes).square().mean() < 1e-14


def test_state_saved_and_loaded_goes_on_bit_for_bit():
    inputs, targets = pendulum()
    whole, first, second = learner(), learner(), learner()
    for number in range(3):
        part = slice(100 * number, 100 * (number + 1))
        whole.step(number, inputs[part], targets[part])
        (first if number < 2 else second).step(number, inputs[part], targets[part])
        if number == 1:
            second.load_state_dict(first.state_dict())
            second.model.load_state_dict(first.model.state_dict())
    assert torch.equal(whole.model.last.weight, second.model.last.weight)


def test_one_pass_is_enough_and_other_models_are_refused():
    assert DrawnFeatures.steps(1000, 3) == 3
    with pytest.raises(RunError, match="hnn has no features"):
        DrawnFeatures.check(HNN, "hnn")


@pytest.mark.parametrize("other", ["first-order", "levenberg-marquardt"])
def test_features_that_nobody_draws_are_no_network(other, experiment):
    config = experiment(
        task={"name": "vector-field"},
        model={"name": "random-features"},
        training={"learner": {"name": other}},
    )
    with pytest.raises(RunError, match=f'"{other}", but random-features is nothing before "drawn-features"'):
        check_learners(config)
