"""Hamiltonian networks: their field is that of their energy, in the units of the data, whatever form this has."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from trajstore.data import DataError
from trajstore.data.tasks.integrating import integrate
from trajstore.models import HNN, DataFacts

FORMS = {
    "whole": {},
    "separable": {},
    "pairwise": {"bodies": [[0, 2], [1, 3]]},
}


def network(form: str, activation: str = "tanh", told: int = 0, seed: int = 0) -> HNN:
    torch.manual_seed(seed)
    pairs = [[0, 4], [1, 5], [2, 6], [3, 7]]
    scale, centre = [0.5, 0.5, 0.5, 0.5, 2.0, 2.0, 2.0, 2.0], [0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3]
    model = HNN(
        8 + told,
        8,
        hidden=[7, 5],
        activation=activation,
        form=form,
        pairs=pairs,
        scale=scale,
        centre=centre,
        **FORMS[form],
    ).double()
    with torch.no_grad():
        # Wide awake: freshly made, such networks are nearly linear.
        for parameter in model.parameters():
            parameter.mul_(2)
    return model


def gradient(model: HNN, states: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    states = states.clone().requires_grad_()
    return torch.autograd.grad(model.hamiltonian(states, told).sum(), states)[0]


@pytest.mark.parametrize("activation", ["tanh", "sin", "softplus"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("told", [0, 2])
def test_the_field_is_the_symplectic_gradient_of_the_energy_by_automatic_differentiation(
    form, activation, told
):
    model = network(form, activation, told)
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(20, 8, generator=generator, dtype=torch.float64)
    parameters = torch.randn(20, told, generator=generator, dtype=torch.float64)
    slopes = gradient(model, states, parameters)
    expected = torch.cat([slopes[:, 4:], -slopes[:, :4]], dim=1)
    found = model(torch.cat([states, parameters], dim=1)[:, None])[:, 0]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    assert found.abs().max() > 0.05
    one, nothing = model.step(torch.cat([states, parameters], dim=1))
    assert nothing is None
    assert torch.equal(one, found)


@pytest.mark.parametrize("form", FORMS)
def test_the_field_is_free_of_divergence(form):
    model = network(form)
    state = torch.randn(8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x[None, None])[0, 0], state)
    assert abs(torch.trace(jacobian)) < 1e-13
    assert jacobian.abs().max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_energy_is_constant_along_its_own_rollouts_and_they_can_be_run_back(form):
    model, nothing = network(form), torch.empty(3, 0, dtype=torch.float64)
    starts = np.random.default_rng(3).normal(size=(3, 8))

    def field(states, rows):
        return model(torch.from_numpy(states)[:, None])[:, 0].detach().numpy()

    there = integrate(field, starts, np.linspace(0.5, 10, 20), 1e-12)
    with torch.no_grad():
        energy = torch.stack([model.hamiltonian(torch.from_numpy(there[:, t]), nothing) for t in range(20)])
        before = model.hamiltonian(torch.from_numpy(starts), nothing)
    assert np.abs(there - starts[:, None]).max() > 0.3
    assert (energy - before).abs().max() < 1e-10
    back = integrate(field, there[:, -1], np.linspace(-0.5, -10, 20), 1e-12)
    np.testing.assert_allclose(back[:, -1], starts, atol=1e-9)


def test_bodies_attract_each_other_equally_wherever_they_are():
    model = network("pairwise")
    states = torch.randn(5, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    found = model(states[:, None])[:, 0]
    # Coordinates are x1, x2, y1, y2: forces add up to nothing along each axis.
    torch.testing.assert_close(found[:, 4], -found[:, 5], rtol=0, atol=1e-14)
    torch.testing.assert_close(found[:, 6], -found[:, 7], rtol=0, atol=1e-14)
    moved = states.clone()
    moved[:, :2] += 3.0
    torch.testing.assert_close(model(moved[:, None])[:, 0], found, rtol=1e-12, atol=1e-12)


def test_orthogonal_weights_begin_orthogonal():
    torch.manual_seed(0)
    model = HNN(2, 2, hidden=[6, 6], orthogonal=True)
    weight = model.energy.energy.layers[1].weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(6), rtol=0, atol=1e-6)


def facts(**changed) -> DataFacts:
    names = ("px", "x", "y", "py")
    told = {
        "components": names,
        "mean": (0.0, 1.0, 2.0, 0.0),
        "deviation": (1.0, 3.0, 4.0, 2.0),
        "step": 0.1,
        "normalized": False,
        "pairs": lambda: [("x", "px"), ("y", "py")],
    }
    return DataFacts(**{**told, **changed})


def settings(**given):
    return HNN.Settings(**given).model_dump()


def test_names_become_places_and_scales_those_of_the_data():
    found = HNN.completed(settings(), facts())
    assert found["pairs"] == [[1, 0], [2, 3]]
    assert found["scale"] == [1.0, 3.0, 4.0, 2.0]
    assert found["centre"] == [0.0, 1.0, 2.0, 0.0]
    assert HNN.completed(found, facts(deviation=(9.0,) * 4)) == found, "a run that goes on keeps its own"
    given = HNN.completed(settings(pairs=[["y", "py"], ["x", "px"]], rescale=False), facts())
    assert given["pairs"] == [[2, 3], [1, 0]]
    assert given["scale"] is None
    model = HNN(4, 4, **{**found, "hidden": [5]}).double()
    state = torch.randn(1, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slopes = gradient(model, state, torch.empty(1, 0, dtype=torch.float64))[0]
    expected = torch.stack([-slopes[1], slopes[0], slopes[3], -slopes[2]])
    torch.testing.assert_close(model(state[:, None])[0, 0], expected)


def test_bodies_share_their_scales():
    found = HNN.completed(settings(form="pairwise", bodies=[["x"], ["y"]]), facts())
    assert found["bodies"] == [[1], [2]]
    assert found["scale"][1] == found["scale"][2]
    assert found["scale"][0] == found["scale"][3]
    assert found["centre"] == [0.0] * 4


@pytest.mark.parametrize(
    ("given", "changed", "said"),
    [
        ({}, {"normalized": True}, "task.normalize"),
        ({"pairs": [["x", "pz"], ["y", "py"]]}, {}, "no component 'pz'"),
        ({"pairs": [["x", "px"]]}, {}, "expected each of px, x, y, py once"),
        ({"pairs": [["x", "px"], ["x", "py"]]}, {}, "expected each of px, x, y, py once"),
        ({"form": "pairwise"}, {}, "model.bodies: got none"),
        ({"bodies": [["x"], ["y"]]}, {}, 'for the form "whole"'),
        ({"form": "pairwise", "bodies": [["x", "y"]]}, {}, "two or more"),
        ({"form": "pairwise", "bodies": [["x"], ["px"]]}, {}, "x, y once"),
        ({"scale": [2.0]}, {}, "model.scale: got 1 numbers, expected one for each of px, x, y, py"),
        ({"centre": [0.0] * 5, "scale": [2.0] * 4}, {}, "model.centre: got 5"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(given, changed, said):
    with pytest.raises(DataError, match=said):
        HNN.completed(settings(**given), facts(**changed))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_scales_that_nothing_can_be_divided_by_are_refused(scale):
    with pytest.raises(ValidationError, match="scale"):
        settings(scale=[1.0, 1.0, 1.0, scale])
