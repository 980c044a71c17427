"""Recurrent models: stepping equals the whole sequence, equals torch's own cells, and is seeded."""

import pytest
import torch
from torch import nn
from trajstore.data import TrajstoreError
from trajstore.models import count_parameters, make_model

VARIANTS = [
    (name, layers, encoder) for name in ("gru", "lstm") for layers in (1, 2) for encoder in ([], [8], [8, 5])
]


def build(name="lstm", inputs=2, outputs=3, **settings):
    torch.manual_seed(0)
    return make_model(name, inputs, outputs, **{"hidden": 7, **settings}).double().eval()


@pytest.mark.parametrize(("name", "layers", "encoder"), VARIANTS)
@torch.no_grad()
def test_stepping_gives_the_outputs_of_the_whole_sequence(name, layers, encoder):
    model = build(name, layers=layers, encoder=encoder)
    inputs = torch.randn(4, 11, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    hidden, outputs = None, []
    for sample in inputs.unbind(1):
        output, hidden = model.step(sample, hidden)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs, 1), model(inputs), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell])
@torch.no_grad()
def test_outputs_are_those_of_torchs_single_cells(cell):
    model = build("lstm" if cell is nn.LSTMCell else "gru", encoder=[6])
    own = cell(2, 7).double()
    for name, value in model.recurrence.state_dict().items():
        own.state_dict()[name.removesuffix("_l0")].copy_(value)
    inputs = torch.randn(5, 9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    code = model.encoder(inputs[:, 0])
    hidden = (code[:, :7].tanh(), code[:, 7:]) if cell is nn.LSTMCell else code.tanh()
    outputs = []
    for sample in inputs.unbind(1):
        hidden = own(sample, hidden)
        outputs.append(model.readout(hidden[0] if cell is nn.LSTMCell else hidden))
    torch.testing.assert_close(torch.stack(outputs, 1), model(inputs), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "layers", "encoder"), VARIANTS)
def test_every_parameter_takes_part_in_the_loss(name, layers, encoder):
    model = build(name, layers=layers, encoder=encoder)
    model(torch.randn(3, 5, 2, dtype=torch.float64)).square().sum().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


def test_outputs_do_not_depend_on_what_comes_later():
    model = build(encoder=[8])
    inputs = torch.randn(2, 8, 2, dtype=torch.float64)
    changed = inputs.clone()
    changed[:, 5:] = 100.0
    assert torch.equal(model(inputs)[:, :5], model(changed)[:, :5])


def test_the_tutorials_network_has_its_1962_parameters():
    """4 * 20 * (2 + 20) weights, 2 * 4 * 20 biases, 20 * 2 + 2 of the readout."""
    assert count_parameters(make_model("lstm", 2, 2, hidden=20)) == 4 * 20 * 22 + 160 + 42


def test_an_unknown_model_is_an_error_that_names_the_known_ones():
    with pytest.raises(TrajstoreError, match=r"'perceptron'.*lstm, gru"):
        make_model("perceptron", 2, 2)
