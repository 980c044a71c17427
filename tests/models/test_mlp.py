"""The perceptron: what it computes, how far back it sees, and that stepping equals the whole sequence."""

import numpy as np
import pytest
import torch
from trajstore.models import count_parameters, make_model, perceptron
from trajstore.models.settings import MlpSettings


def build(**settings):
    torch.manual_seed(0)
    return make_model("mlp", 2, 3, **{"hidden": [7, 5], **settings}).double().eval()


def sequence(steps=9):
    return torch.randn(4, steps, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("points", [1, 2, 4])
@torch.no_grad()
def test_stepping_gives_the_outputs_of_the_whole_sequence_and_of_its_pieces(points):
    model, inputs = build(points=points), sequence()
    memory, outputs = None, []
    for now in inputs.unbind(1):
        output, memory = model.step(now, memory)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs, 1), model(inputs), rtol=1e-12, atol=1e-12)
    first, memory = model.run(inputs[:, :5])
    last, _ = model.run(inputs[:, 5:], memory)
    torch.testing.assert_close(torch.cat([first, last], 1), model(inputs), rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_outputs_are_those_of_the_formula():
    """Of the latest inputs side by side, the first input standing for those before it."""
    model, inputs = build(points=3), sequence(4).numpy()
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    told = np.concatenate([inputs[:, :1], inputs[:, :1], inputs], axis=1)
    for step in range(4):
        values = told[:, step : step + 3].reshape(4, -1)
        for layer in (0, 2, 4):
            values = values @ weights[f"layers.{layer}.weight"].T + weights[f"layers.{layer}.bias"]
            values = np.tanh(values) if layer < 4 else values
        np.testing.assert_allclose(model(torch.from_numpy(inputs))[:, step], values, atol=1e-12)


@torch.no_grad()
def test_it_sees_so_many_points_and_no_more():
    model, inputs = build(points=2), sequence()
    changed = inputs.clone()
    changed[:, 3] = 100.0
    same = (model(inputs) == model(changed)).all(dim=2).all(dim=0)
    assert same.tolist() == [step not in (3, 4) for step in range(9)]


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "silu"])
def test_every_parameter_takes_part(activation):
    model = build(points=2, activation=activation, hidden=[6])
    assert count_parameters(model) == (4 + 1) * 6 + (6 + 1) * 3
    model(sequence()).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_without_hidden_layers_it_is_a_linear_map():
    layers = perceptron(4, [], 2)
    one, other = torch.randn(2, 5, 4)
    torch.testing.assert_close(
        layers(one) + layers(other), layers(one + other) + layers(torch.zeros(5, 4)), rtol=1e-4, atol=1e-5
    )


def test_a_last_layer_without_bias_and_weights_that_begin_orthogonal():
    model = build(bias=False, orthogonal=True, hidden=[6, 6])
    assert [name for name, _ in model.named_parameters() if "4" in name] == ["layers.4.weight"]
    weight = model.layers[2].weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-6)
    assert len(model.state_dict()) == model.fewest_weights(hidden=[6, 6], bias=False)


def test_keys_at_their_defaults_are_in_no_identity():
    assert MlpSettings().model_dump() == {"hidden": [32, 32], "activation": "tanh", "points": 1}
    assert MlpSettings(bias=False).model_dump()["bias"] is False
