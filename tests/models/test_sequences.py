"""Sequence models: their papers' equations as loops; steps, pieces, causality, gradients."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.func import functional_call, jacrev
from trajstore.models import MODELS, count_parameters, make_model

SIZES = {
    "rhn": {"hidden": 6, "depth": 3},
    "lru": {"hidden": 6, "states": 5, "layers": 2},
    "mamba": {"hidden": 6, "heads": 3, "states": 4, "layers": 2},
    "transformer": {"hidden": 6, "heads": 2, "length": 4, "layers": 2},
    "nbeats": {"hidden": 6, "layers": 2, "blocks": 3, "basis": 4, "length": 5},
}


def build(name, inputs=2, **settings):
    torch.manual_seed(0)
    return make_model(name, inputs, 3, **{**SIZES[name], **settings}).double().eval()


def sequence(steps=11, rows=4, seed=1):
    return torch.randn(rows, steps, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def stepped(model, inputs):
    memory, outputs = None, []
    for now in inputs.unbind(1):
        output, memory = model.step(now, memory)
        outputs.append(output)
    return torch.stack(outputs, 1), memory


def flat(memory):
    return [memory] if isinstance(memory, torch.Tensor) else [each for part in memory for each in flat(part)]


def weights_of(model):
    return {name: value.detach().numpy() for name, value in model.named_parameters()}


@pytest.mark.parametrize("steps", [1, 11, 70])
@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_steps_and_pieces_give_the_outputs_of_the_whole_sequence(name, steps):
    model, inputs = build(name), sequence(steps)
    whole, memory = model.run(inputs)
    one_by_one, kept = stepped(model, inputs)
    torch.testing.assert_close(one_by_one, whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(model(inputs), whole, rtol=0, atol=0)
    for one, other in zip(flat(kept), flat(memory), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    cut = steps // 3
    if cut:
        first, memory = model.run(inputs[:, :cut])
        last, _ = model.run(inputs[:, cut:], memory)
        torch.testing.assert_close(torch.cat([first, last], 1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_memory_is_real_numbers_of_one_shape_whatever_was_seen(name):
    """Runs that part are measured in it, and none of it may be a count of the steps."""
    model, inputs = build(name), sequence(3)
    shapes = []
    memory = None
    for now in inputs.unbind(1):
        _, memory = model.step(now, memory)
        shapes.append([part.shape for part in flat(memory)])
        assert all(part.dtype == torch.float64 for part in flat(memory))
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_a_later_input_changes_no_earlier_output_and_an_earlier_one_does(name):
    model, inputs = build(name), sequence(40)
    changed = inputs.clone()
    changed[:, 35:] += 100.0
    assert torch.equal(model(inputs)[:, :35], model(changed)[:, :35])
    changed = inputs.clone()
    changed[:, 3] += 1.0
    moved = (model(inputs) != model(changed)).all(dim=2).all(dim=0)
    assert not moved[:3].any()
    assert moved[3:8].all()


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_rows_of_a_batch_have_nothing_to_do_with_each_other(name):
    model, inputs = build(name), sequence()
    torch.testing.assert_close(model(inputs)[[2]], model(inputs[[2]]), rtol=0, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_gradients_are_those_of_finite_differences(name):
    model, inputs = build(name), sequence(6, rows=2)
    parameters = {key: value.detach() for key, value in model.named_parameters()}

    def loss(parameters):
        return functional_call(model, parameters, (inputs,)).sin().sum()

    model(inputs).sin().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key
        direction = torch.randn(
            parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
        )
        there, back = (
            loss({**parameters, key: parameters[key] + step * direction}) for step in (1e-6, -1e-6)
        )
        slope = (parameter.grad * direction).sum()
        assert abs((there - back) / 2e-6 - slope) < 1e-6 * max(1.0, abs(slope)), key


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_a_jacobian_can_be_had_without_the_tape(name):
    """As the second phase of training takes it."""
    model, inputs = build(name), sequence(5, rows=1)
    found = jacrev(lambda x: model(x[None])[0, -1])(inputs[0])
    step = 1e-6 * torch.ones(2, dtype=torch.float64)
    there, back = (
        model(torch.cat([inputs[:, :4], inputs[:, 4:] + sign * step], 1))[0, -1] for sign in (1, -1)
    )
    torch.testing.assert_close(found[:, -1].sum(dim=1), (there - back) / 2e-6, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", SIZES)
def test_they_are_seeded_and_say_what_they_cost(name):
    one, other = build(name), build(name)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    kind = MODELS.find(name)
    assert 0 < kind.fewest_weights(**kind.Settings(**SIZES[name]).model_dump()) <= len(one.state_dict())
    assert one.work(64) > one.work(1) > 0


def test_parameters_are_counted():
    read = 3 * (6 + 1)
    assert count_parameters(build("rhn")) == 2 * 12 + 3 * (6 + 1) * 12 + read
    assert count_parameters(build("rhn", encoder=[5])) == 2 * 12 + 3 * 7 * 12 + read + 3 * 5 + 6 * 6
    stack = (2 + 1) * 6 + 2 * 6 + read
    lru = 2 * 6 + 3 * 5 + 2 * 2 * 5 * 6 + 6 + 7 * 12
    assert count_parameters(build("lru")) == stack + 2 * lru
    mamba = 6 + 6 * (24 + 8 + 3) + (12 + 8) * 5 + 3 * 3 + 12 + 12 * 6
    assert count_parameters(build("mamba")) == stack + 2 * mamba
    transformer = 2 * 12 + 7 * 18 + 2 * 4 + 7 * 6 + 7 * 24 + 25 * 6
    assert count_parameters(build("transformer")) == stack + 2 * transformer
    trunk, forecast, backcast = (10 + 1) * 6 + (6 + 1) * 6, (4 + 1) * 3, (4 + 1) * 10
    assert count_parameters(build("nbeats")) == 3 * (trunk + 6 * 4 + forecast) + 2 * (6 * 4 + backcast)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("depth", [1, 3])
def test_highway_layers_are_those_of_the_paper(depth):
    model, inputs = build("rhn", depth=depth), sequence().numpy()
    weights = weights_of(model)
    state, outputs = np.zeros((4, 6)), []
    for now in inputs.transpose(1, 0, 2):
        for layer in range(depth):
            told = state @ weights[f"recurrence.layers.{layer}.weight"].T
            told += weights[f"recurrence.layers.{layer}.bias"]
            if layer == 0:
                told += now @ weights["recurrence.inputs.weight"].T
            s, t = np.tanh(told[:, :6]), sigmoid(told[:, 6:])
            state = s * t + state * (1 - t)
        outputs.append(state @ weights["readout.weight"].T + weights["readout.bias"])
    found = model(torch.from_numpy(inputs)).detach().numpy()
    np.testing.assert_allclose(found, np.stack(outputs, 1), atol=1e-13)


def test_the_encoder_makes_the_first_state_of_a_highway_network():
    model, inputs = build("rhn", encoder=[5]), sequence(1)
    hidden = model.encoder(inputs[:, 0]).tanh()
    states, _ = model.recurrence(inputs, hidden[None])
    torch.testing.assert_close(model(inputs), model.readout(states), rtol=0, atol=0)
    assert hidden.abs().max() > 0.01


def normed(x, weight, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) * weight + bias


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def test_the_linear_recurrence_is_that_of_the_paper_and_its_convolution():
    model, inputs = build("lru", layers=1), sequence(30)
    weights = {key.removeprefix("blocks.0."): value for key, value in weights_of(model).items()}
    x = inputs.numpy() @ weights["embedding.weight"].T + weights["embedding.bias"]
    u = normed(x, weights["norm.weight"] * 0 + 1, 0.0)
    decay = np.exp(-np.exp(weights["nu"]) + 1j * np.exp(weights["theta"]))
    assert (np.abs(decay) < 1).all()
    np.testing.assert_allclose(np.exp(weights["gain"]), np.sqrt(1 - np.abs(decay) ** 2), rtol=1e-5)
    b, c = (weights[key][..., 0] + 1j * weights[key][..., 1] for key in "bc")
    driven = np.exp(weights["gain"]) * (u @ b)
    looped, state = [], np.zeros_like(driven[:, 0])
    for t in range(30):
        state = decay * state + driven[:, t]
        looped.append(state)
    states = np.stack(looped, 1)
    # x_t is a convolution of what was driven with the powers of the decay, by FFT.
    kernel = decay ** np.arange(30)[:, None]
    product = np.fft.fft(kernel, 60, axis=0) * np.fft.fft(driven, 60, axis=1)
    np.testing.assert_allclose(np.fft.ifft(product, axis=1)[:, :30], states, atol=1e-12)
    y = gelu((states @ c).real + weights["d"] * u)
    gated = y @ weights["gate.weight"].T + weights["gate.bias"]
    x = x + gated[..., :6] * sigmoid(gated[..., 6:])
    outputs = normed(x, 1.0, 0.0) @ weights["readout.weight"].T + weights["readout.bias"]
    np.testing.assert_allclose(model(inputs).detach().numpy(), outputs, atol=1e-12)


def test_moduli_begin_in_the_ring_that_is_asked_for():
    model = build("lru", states=200, radius=[0.5, 0.9], phase=0.3)
    block = model.blocks[0]
    modulus = torch.exp(-block.nu.exp())
    assert 0.5 <= modulus.min() < 0.55
    assert 0.88 < modulus.max() <= 0.9
    assert block.theta.exp().max() <= 0.3
    # Evenly over its area.
    assert abs(modulus.square().mean() - (0.25 + 0.81) / 2) < 0.02


def silu(x):
    return x * sigmoid(x)


def root_mean_square(x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)


@pytest.mark.parametrize("steps", [9, 67])
def test_the_chunked_form_of_mamba_is_its_recurrence(steps):
    model, inputs = build("mamba", layers=1), sequence(steps)
    weights = {key.removeprefix("blocks.0."): value for key, value in weights_of(model).items()}
    seen = inputs.numpy() @ weights["embedding.weight"].T + weights["embedding.bias"]
    told = root_mean_square(seen) @ weights["projection.weight"].T
    gate, channels, times = told[..., :12], told[..., 12:32], told[..., 32:]
    states, outputs = np.zeros((4, 3, 4, 4)), []
    for t in range(steps):
        # What lies before the sequence is zero to the convolution.
        before = [channels[:, t - lag] if t >= lag else 0.0 * channels[:, 0] for lag in (3, 2, 1, 0)]
        kernel = weights["convolution.weight"][:, 0]
        mixed = silu(sum(part * kernel[:, k] for k, part in enumerate(before)) + weights["convolution.bias"])
        x, b, c = mixed[:, :12].reshape(4, 3, 4), mixed[:, 12:16], mixed[:, 16:]
        dt = np.log1p(np.exp(times[:, t] + weights["dt"]))
        decay = np.exp(-dt * np.exp(weights["rates"]))
        states = decay[..., None, None] * states + np.einsum("bh,bhp,bn->bhpn", dt, x, b)
        y = np.einsum("bhpn,bn->bhp", states, c) + weights["d"][:, None] * x
        outputs.append(root_mean_square(y.reshape(4, 12) * silu(gate[:, t])))
    seen = seen + np.stack(outputs, 1) @ weights["joined.weight"].T
    expected = normed(seen, 1.0, 0.0) @ weights["readout.weight"].T + weights["readout.bias"]
    np.testing.assert_allclose(model(inputs).detach().numpy(), expected, atol=1e-12)


def test_mambas_time_steps_and_rates_begin_where_the_paper_has_them():
    block = build("mamba", hidden=64, heads=64).blocks[0]
    steps, rates = torch.nn.functional.softplus(block.dt), block.rates.exp()
    assert 1e-3 <= steps.min() < 2e-3
    assert 0.05 < steps.max() <= 0.1
    assert 1 <= rates.min() < 2
    assert 14 < rates.max() <= 16


def test_attention_is_that_of_the_formula():
    model, inputs = build("transformer", layers=1), sequence(7)
    with torch.no_grad():
        model.blocks[0].lags.copy_(torch.randn(2, 4, generator=torch.Generator().manual_seed(5)))
    weights = {key.removeprefix("blocks.0."): value for key, value in weights_of(model).items()}
    # The first input has lasted for ever.
    lasting = np.concatenate([inputs[:, :1].numpy().repeat(3, axis=1), inputs.numpy()], axis=1)
    x = lasting @ weights["embedding.weight"].T + weights["embedding.bias"]
    told = normed(x, 1.0, 0.0) @ weights["projection.weight"].T + weights["projection.bias"]
    attended = np.zeros((4, 7, 6))
    for row, t, head in np.ndindex(4, 7, 2):
        part = slice(3 * head, 3 * head + 3)
        query, keys, values = (told[row, :, 6 * k : 6 * k + 6][:, part] for k in range(3))
        scores = [
            query[t + 3] @ keys[t + 3 - lag] / math.sqrt(3) + weights["lags"][head, lag] for lag in range(4)
        ]
        shares = np.exp(scores) / np.exp(scores).sum()
        attended[row, t, part] = sum(shares[lag] * values[t + 3 - lag] for lag in range(4))
    x = x[:, 3:] + attended @ weights["joined.weight"].T + weights["joined.bias"]
    inner = gelu(normed(x, 1.0, 0.0) @ weights["perceptron.0.weight"].T + weights["perceptron.0.bias"])
    x = x + inner @ weights["perceptron.2.weight"].T + weights["perceptron.2.bias"]
    outputs = normed(x, 1.0, 0.0) @ weights["readout.weight"].T + weights["readout.bias"]
    np.testing.assert_allclose(model(inputs).detach().numpy(), outputs, atol=1e-12)


def test_blocks_of_nbeats_see_what_is_left_and_add_up():
    model, inputs = build("nbeats"), sequence(7)
    weights = weights_of(model)
    # The first input has lasted for ever.
    told = np.concatenate([inputs[:, :1].numpy().repeat(4, axis=1), inputs.numpy()], axis=1)
    for step in range(7):
        left, foretold = told[:, step : step + 5].reshape(4, 10), np.zeros((4, 3))
        for block in range(3):
            h = left
            for layer in (0, 2):
                of = f"blocks.{block}.layers.{layer}"
                h = np.maximum(h @ weights[f"{of}.weight"].T + weights[f"{of}.bias"], 0)
            theta = h @ weights[f"blocks.{block}.layers.4.weight"].T
            of = f"blocks.{block}.forecast"
            foretold += theta[:, :4] @ weights[f"{of}.weight"].T + weights[f"{of}.bias"]
            if block < 2:
                of = f"blocks.{block}.backcast"
                left = left - theta[:, 4:] @ weights[f"{of}.weight"].T - weights[f"{of}.bias"]
        np.testing.assert_allclose(model(inputs)[:, step].detach().numpy(), foretold, atol=1e-12)


@torch.no_grad()
def test_a_transformer_sees_so_many_inputs_and_no_more_wherever_they_are():
    model, inputs = build("transformer"), sequence(20)
    changed = inputs.clone()
    changed[:, 5] += 1.0
    moved = (model(inputs) != model(changed)).any(dim=2).any(dim=0).tolist()
    # Two layers of four: (4 - 1) * 2 steps later it is still seen.
    assert moved == [5 <= step <= 11 for step in range(20)]
    torch.testing.assert_close(model(inputs[:, 6:])[:, 6:], model(inputs)[:, 12:], rtol=0, atol=1e-12)
    lasting = torch.cat([inputs[:, :1].expand(-1, 6, -1), inputs], dim=1)
    torch.testing.assert_close(model(lasting)[:, 6:], model(inputs), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("transformer", {"hidden": 10}, "expected a divisor of hidden, 10"),
        ("mamba", {"hidden": 3}, "expected a divisor of twice hidden, 6"),
        ("lru", {"radius": [0.9, 0.5]}, "the lesser first"),
        ("lru", {"radius": [0.0, 1.5]}, "less than or equal to 1"),
        ("lru", {"radius": [0.5]}, "at least 2"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name, given, said):
    with pytest.raises(ValidationError, match=said):
        MODELS.find(name).Settings(**given)
