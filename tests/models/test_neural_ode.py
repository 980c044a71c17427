"""A neural ordinary differential equation: its states are those that its field leads to, by SciPy's integrator."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from trajstore.data.tasks.registry import get_task
from trajstore.models import NeuralODE


def network(told=1, **settings):
    torch.manual_seed(0)
    return NeuralODE(2 + told, 2, **{"hidden": [7], "step": 0.3, **settings}).double()


def started(told=1, points=6):
    """Inputs of the task, and what it starts from."""
    generator = torch.Generator().manual_seed(1)
    states, channels = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((3, points, 2), (3, told))
    )
    return get_task("initial-value").batch(states, channels)[0]


@torch.no_grad()
def test_states_are_those_of_an_exact_integration_of_its_field():
    model, inputs = network(substeps=16), started()
    found = model(inputs).numpy()

    def slopes(_, state, told):
        return model.field(torch.from_numpy(np.append(state, told)[None]))[0].numpy()

    for row, first in enumerate(inputs[:, 0].numpy()):
        times = 0.3 * np.arange(6)
        exact = solve_ivp(
            slopes, (0, 1.5), first[:2], "DOP853", times, args=(first[2:],), rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(found[row], exact.y.T, atol=1e-8)
    assert np.abs(found[:, -1] - found[:, 0]).max() > 0.1


@torch.no_grad()
def test_its_error_is_of_order_four():
    model = network(told=0, hidden=[])
    weight, bias = (values.numpy() for values in model.layers.parameters())
    whole = expm(1.5 * np.block([[weight, bias[:, None]], [np.zeros((1, 3))]]))
    inputs = started(told=0)
    exact = inputs[:, 0].numpy() @ whole[:2, :2].T + whole[:2, 2]
    missed = []
    for substeps in (1, 2):
        model._substeps, model._size = substeps, 0.3 / substeps
        missed.append(np.abs(model(inputs)[:, -1].numpy() - exact).max())
    assert 12 < missed[0] / missed[1] < 20


@torch.no_grad()
def test_stepping_gives_the_outputs_of_the_whole_sequence_and_of_its_pieces():
    model, inputs = network(), started()
    first, memory = model.run(inputs[:, :2])
    last, _ = model.run(inputs[:, 2:], memory)
    assert torch.equal(torch.cat([first, last], dim=1), model(inputs))


def test_gradients_go_through_the_whole_trajectory():
    model, inputs = network(), started()
    weight = model.layers[0].weight
    loss = model(inputs)[:, -1].square().sum()
    (slope,) = torch.autograd.grad(loss, weight)
    step = 1e-6
    with torch.no_grad():
        found = []
        for sign in (1, -1):
            weight[0, 0] += sign * step
            found.append(model(inputs)[:, -1].square().sum().item())
            weight[0, 0] -= sign * step
    assert slope[0, 0].item() == pytest.approx((found[0] - found[1]) / (2 * step), rel=1e-6)
