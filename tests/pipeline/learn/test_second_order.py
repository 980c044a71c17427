"""Levenberg-Marquardt: the sampled matrix is the Gauss-Newton matrix, and the step is the damped solution."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector
from trajstore.models import make_model
from trajstore.pipeline.config.learning import RefinementSection
from trajstore.pipeline.learn import levenberg_marquardt
from trajstore.pipeline.learn.levenberg_marquardt import LevenbergMarquardt
from trajstore.pipeline.runs.files import RunError


def data(samples=12, steps=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, steps, 2, generator=generator)
    return inputs, torch.randn(samples, steps, 3, generator=generator)


def model(name="lstm"):
    torch.manual_seed(0)
    return make_model(name, 2, 3, hidden=3, encoder=[4])


def exact_jacobian(network, inputs):
    """(residuals, parameters), a sample and an output at a time by plain reverse differentiation."""
    rows = []
    for sample in inputs:
        for output in network(sample[None]).flatten():
            gradients = torch.autograd.grad(output, list(network.parameters()), retain_graph=True)
            rows.append(parameters_to_vector(gradients))
    return torch.stack(rows).double()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_sampled_matrix_tends_to_the_gauss_newton_matrix(name):
    network, (inputs, _) = model(name), data()
    learner = LevenbergMarquardt(network, RefinementSection(probes=11), seed=0)
    jacobian = exact_jacobian(network, inputs)
    exact = jacobian.T @ jacobian / len(jacobian)
    sampled = torch.stack([learner._sample_matrix(number, inputs) for number in range(160)])
    error = torch.linalg.norm(sampled.mean(0) - exact) / torch.linalg.norm(exact)
    single = torch.linalg.norm(sampled[0] - exact) / torch.linalg.norm(exact)
    assert error < 0.05
    assert error < 0.4 * single, "the error of the mean falls with the number of samples: it has no bias"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_matrix_is_exact_where_a_sample_has_no_more_outputs_than_probes(dtype):
    network, (inputs, _) = model().to(dtype), data(samples=300)
    inputs = inputs.to(dtype)
    learner = LevenbergMarquardt(network, RefinementSection(samples=300, probes=12), seed=0)
    jacobian = exact_jacobian(network, inputs)
    exact = jacobian.T @ jacobian / len(jacobian)
    rounding = 1e-5 if dtype == torch.float32 else 1e-13
    found = learner._sample_matrix(0, inputs)
    assert torch.linalg.norm(found - exact) < rounding * torch.linalg.norm(exact)


def test_a_linear_model_is_solved_in_a_few_steps():
    """For a linear model Gauss-Newton is exact least squares; NumPy's solution is the oracle."""

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = nn.Linear(2, 3)

        def forward(self, inputs):
            return self.map(inputs)

    torch.manual_seed(0)
    network = Linear()
    inputs, targets = data(samples=200)
    learner = LevenbergMarquardt(network, RefinementSection(samples=200, probes=50, damping=1e-7), seed=0)
    for number in range(8):
        learner.step(number, inputs, targets)
    features = np.concatenate([inputs.reshape(-1, 2), np.ones((800, 1))], axis=1)
    solution = np.linalg.lstsq(features, targets.reshape(-1, 3).numpy(), rcond=None)[0]
    np.testing.assert_allclose(network.map.weight.detach().numpy().T, solution[:2], atol=1e-4)
    np.testing.assert_allclose(network.map.bias.detach().numpy(), solution[2], atol=1e-4)


def test_a_step_never_raises_the_loss_of_its_batch():
    network, (inputs, targets) = model(), data(64)
    learner = LevenbergMarquardt(network, RefinementSection(samples=64), seed=0)
    losses = [learner.step(number, inputs, targets) for number in range(15)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(losses))
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("std", [None, (0.5, 2.0, 3.0)])
def test_a_large_batch_that_is_taken_in_pieces_teaches_what_it_teaches_whole(monkeypatch, std):
    inputs, targets = (values.double() for values in data(64))
    found = []
    # Neither divides the batch.
    for piece in (levenberg_marquardt.PIECE, 27):
        monkeypatch.setattr(levenberg_marquardt, "PIECE", piece)
        network = model().double()
        learner = LevenbergMarquardt(network, RefinementSection(samples=64), seed=0, std=std)
        told = [learner.step(number, inputs, targets).item() for number in range(3)]
        found.append((told, parameters_to_vector(network.parameters()).detach().numpy()))
    (whole, weights), (pieces, same) = found
    np.testing.assert_allclose(pieces, whole, rtol=1e-12)
    np.testing.assert_allclose(same, weights, rtol=1e-9, atol=1e-12)


def test_a_network_whose_matrix_has_no_place_is_refused():
    network = make_model("mlp", 2, 3, hidden=[200, 200])
    with pytest.raises(RunError, match=r"the model has 41403 parameters"):
        LevenbergMarquardt(network, RefinementSection(), seed=0)


def test_a_step_at_a_minimum_changes_nothing():
    network, (inputs, _) = model(), data()
    targets = network(inputs).detach()
    before = parameters_to_vector(network.parameters()).clone()
    assert LevenbergMarquardt(network, RefinementSection(), seed=0).step(0, inputs, targets) == 0.0
    assert torch.equal(parameters_to_vector(network.parameters()), before)


def test_state_saved_and_loaded_goes_on_bit_for_bit():
    settings = RefinementSection(samples=8)
    inputs, targets = data()
    network = model()
    learner = LevenbergMarquardt(network, settings, seed=3)
    for number in range(3):
        learner.step(number, inputs, targets)
    copy = model()
    copy.load_state_dict(network.state_dict())
    again = LevenbergMarquardt(copy, settings, seed=3)
    again.load_state_dict(learner.state_dict())
    for number in range(3, 6):
        learner.step(number, inputs, targets)
        again.step(number, inputs, targets)
    assert torch.equal(parameters_to_vector(network.parameters()), parameters_to_vector(copy.parameters()))
