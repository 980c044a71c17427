"""Random features: drawn from pairs of points, with the field of their energy, and linear in what is learned."""

import numpy as np
import pytest
import torch
from trajstore.data import DataError
from trajstore.models import DataFacts, RandomFeatures


def points(count=60, size=4, seed=1):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(told=0, *, energy=True, features=12, drawn=True):
    model = RandomFeatures(
        4 + told,
        4,
        features=features,
        energy=energy,
        pairs=[[1, 0], [2, 3]] if energy else None,
        centre=[0.1, 0.2, -0.1, 0.3],
        scale=[0.5, 1.0, 2.0, 1.5],
    ).double()
    if drawn:
        model.draw(points(size=4 + told), torch.Generator().manual_seed(0))
        torch.nn.init.normal_(model.last.weight, generator=torch.Generator().manual_seed(2))
    return model


@pytest.mark.parametrize("told", [0, 2])
def test_the_field_is_the_symplectic_gradient_of_the_energy_by_automatic_differentiation(told):
    model, inputs = network(told), points(20, 4 + told, 3)
    states = inputs[:, :4].clone().requires_grad_()
    slopes = torch.autograd.grad(model.hamiltonian(states, inputs[:, 4:]).sum(), states)[0]
    expected = torch.stack([-slopes[:, 1], slopes[:, 0], slopes[:, 3], -slopes[:, 2]], dim=1)
    found = model(inputs[:, None])[:, 0]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    assert found.abs().max() > 0.1


def test_the_field_of_an_energy_is_free_of_divergence():
    jacobian = torch.autograd.functional.jacobian(lambda x: network()(x[None, None])[0, 0], points(1)[0])
    assert abs(torch.trace(jacobian)) < 1e-13
    assert jacobian.abs().max() > 0.01


def test_a_feature_is_a_half_below_and_above_at_the_points_that_it_is_drawn_from():
    """By the two points of a pair alone, all features are that one, this way round or the other."""
    model = network(drawn=False)
    two = points(2)
    model.draw(two, torch.Generator().manual_seed(0))
    values = model._features(two).numpy()
    np.testing.assert_allclose(np.sort(values, axis=0), np.repeat([[-0.5], [0.5]], 12, axis=1), atol=1e-12)


@pytest.mark.parametrize("energy", [True, False])
def test_weights_that_solve_the_equations_give_the_targets(energy):
    model, inputs = network(1, energy=energy), points(50, 5, 4)
    expected = model(inputs[:, None])[:, 0].detach()
    left, right = model.equations(inputs, expected)
    solution = np.linalg.lstsq(left.numpy(), right.numpy(), rcond=None)[0]
    fresh = network(1, energy=energy)
    fresh.take(torch.from_numpy(solution))
    torch.testing.assert_close(fresh(inputs[:, None])[:, 0], expected, rtol=1e-6, atol=1e-8)


def test_points_that_are_all_one_are_refused():
    with pytest.raises(DataError, match="all points of the first batch are the same"):
        network(drawn=False).draw(points(1).expand(9, -1), torch.Generator())


def test_pairs_are_of_an_energy():
    names = ("px", "x", "y", "py")
    facts = DataFacts(names, (0.0,) * 4, (2.0,) * 4, 0.1, False, lambda: [("x", "px"), ("y", "py")])
    found = RandomFeatures.completed(RandomFeatures.Settings(energy=True).model_dump(), facts)
    assert (found["pairs"], found["scale"]) == ([[1, 0], [2, 3]], [2.0] * 4)
    assert RandomFeatures.completed(RandomFeatures.Settings().model_dump(), facts)["pairs"] is None
    with pytest.raises(DataError, match=r"model.pairs"):
        RandomFeatures.completed(RandomFeatures.Settings(pairs=[["x", "px"]]).model_dump(), facts)
