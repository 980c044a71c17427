"""Piecewise linear networks: the formulas of their papers, stepping, and the compiled recurrence against autograd."""

import numpy as np
import pytest
import torch
from trajstore.models import count_parameters, make_model
from trajstore.models.piecewise import Pieces, forced_loop, stable_diagonal

KINDS = {
    "shplrnn": ("shplrnn", {"hidden": 9}),
    "clipped": ("shplrnn", {"hidden": 9, "clipped": True}),
    "shplrnn, more units": ("shplrnn", {"hidden": 9, "units": 5}),
    "alrnn": ("alrnn", {"units": 7, "relus": 3}),
    "dendplrnn": ("dendplrnn", {"bases": 4}),
    "dendplrnn, more units": ("dendplrnn", {"bases": 4, "units": 5}),
}


def build(kind):
    name, settings = KINDS[kind]
    torch.manual_seed(0)
    return make_model(name, 3, 3, **settings).double()


def sequence(batch=4, steps=12):
    return torch.randn(batch, steps, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def relu(x):
    return np.maximum(x, 0)


def next_state(kind, model, z):
    """By the papers, of one state (M,)."""
    w = {name: value.numpy() for name, value in model.state_dict().items()}
    if kind.startswith("shplrnn"):
        return w["A"] * z + w["W1"] @ relu(w["W2"] @ z + w["h2"]) + w["h1"]
    if kind == "clipped":
        return w["A"] * z + w["W1"] @ (relu(w["W2"] @ z + w["h2"]) - relu(w["W2"] @ z)) + w["h1"]
    if kind == "alrnn":
        return w["A"] * z + w["W"] @ np.concatenate([z[:-3], relu(z[-3:])]) + w["h"]
    phi = sum(alpha * relu(z - H) for alpha, H in zip(w["alpha"], w["H"], strict=True))
    return w["A"] * z + w["W"] @ phi + w["h"]


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_each_step_is_the_papers_formula(kind):
    model = build(kind)
    z = np.random.default_rng(0).standard_normal(model.units)
    found = model.pieces().step(torch.from_numpy(z))
    expected = next_state(kind, model, z)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_stepping_gives_the_whole_sequence_and_its_pieces_and_so_does_full_forcing(kind):
    model, inputs = build(kind), sequence()
    memory, outputs = None, []
    for now in inputs.unbind(1):
        output, memory = model.step(now, memory)
        outputs.append(output)
    whole = model(inputs)
    torch.testing.assert_close(torch.stack(outputs, 1), whole, rtol=1e-12, atol=1e-12)
    first, memory = model.run(inputs[:, :5])
    last, _ = model.run(inputs[:, 5:], memory)
    torch.testing.assert_close(torch.cat([first, last], 1), whole, rtol=1e-12, atol=1e-12)
    forced = model.forced(inputs, torch.ones(12))[..., :3]
    torch.testing.assert_close(forced, whole, rtol=1e-12, atol=1e-12)
    with torch.enable_grad():
        torch.testing.assert_close(model(inputs).detach(), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_without_forcing_it_runs_freely_as_steps_on_its_own_outputs_do(kind):
    model, inputs = build(kind), sequence()
    now, memory, outputs = inputs[:, 0], None, []
    for _ in range(12):
        now, memory = model.step(now, memory)
        outputs.append(now)
    free = model.forced(inputs, torch.zeros(12))[..., :3]
    torch.testing.assert_close(free, torch.stack(outputs, 1), rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_sparse_forcing_of_all_units_splits_into_segments():
    model, inputs = build("shplrnn"), sequence()
    sparse = model.forced(inputs, (torch.arange(12) % 4 == 0).double())
    apart = model.forced(inputs.reshape(12, 4, 3), torch.zeros(4)).reshape(4, 12, 3)
    torch.testing.assert_close(sparse, apart, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("forcing", ["constant", "sparse"])
def test_the_compiled_recurrence_and_its_gradients_are_those_of_plain_torch(kind, forcing):
    fused = pytest.importorskip("trajstore.models.fused")
    model, inputs = build(kind), sequence()
    strength = torch.full((12,), 0.3) if forcing == "constant" else (torch.arange(12) % 5 == 0).double()
    weights = torch.randn(4, 12, model.units, dtype=torch.float64)
    found = []
    for way in (fused.Fused.apply, forced_loop):
        model.zero_grad()
        states = way(inputs, strength.double(), model.begin(inputs[:, 0]), *model.pieces())
        (states * weights).sum().backward()
        gradients = [parameter.grad.clone() for parameter in model.parameters()]
        assert all(gradient.abs().sum() > 0 for gradient in gradients), "every parameter takes part"
        found.append([states.detach(), *gradients])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_what_is_put_in_is_what_the_data_are_however_far_the_state_has_gone_astray():
    fused = pytest.importorskip("trajstore.models.fused")
    inputs = sequence(2, 31).float()
    model = make_model("shplrnn", 3, 3, hidden=4)
    with torch.no_grad():
        # Thirty steps make 2e14 of 1, of which nothing below 1e7 can be taken off.
        model.A.fill_(3.0)
        model.W1.zero_()
        forcing = (torch.arange(31) == 30).float()
        for way in (fused.Fused.apply, forced_loop):
            states = way(inputs, forcing, inputs[:, 0], *model.pieces())
            assert states[:, 29].abs().max() > 1e13
            torch.testing.assert_close(states[:, 30], 3 * inputs[:, 30])


@pytest.mark.slow
def test_it_passes_torchs_check_of_gradients():
    fused = pytest.importorskip("trajstore.models.fused")
    model, inputs = build("shplrnn, more units"), sequence(2, 5)
    start = model.begin(inputs[:, 0]).detach().requires_grad_()
    pieces = [piece.detach().requires_grad_() for piece in model.pieces()]
    strength = torch.full((5,), 0.4, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda *given: fused.Fused.apply(inputs, strength, *given), (start, *pieces)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_jacobians_are_those_of_autograd(kind):
    pieces = Pieces(*(piece.detach() for piece in build(kind).pieces()))
    states = torch.randn(3, len(pieces.offset), dtype=torch.float64)
    expected = torch.stack([torch.autograd.functional.jacobian(pieces.step, state) for state in states])
    torch.testing.assert_close(pieces.jacobians(states), expected)


@torch.no_grad()
def test_a_clipped_one_is_bounded_where_the_plain_one_runs_away():
    bounds = []
    for clipped in (False, True):
        torch.manual_seed(3)
        model = make_model("shplrnn", 3, 3, hidden=20, clipped=clipped).double()
        model.A.clamp_(max=0.9)
        model.W1 *= 8
        bounds.append(model.forced(sequence(4, 400), torch.zeros(400)).abs().max())
    assert bounds[1] < 1e4 < bounds[0]


def test_symbols_are_the_signs_of_the_last_units():
    model = build("alrnn")
    states = torch.zeros(4, 7, dtype=torch.float64)
    states[1, 4], states[2, 5], states[3, 4:] = 1, 2, 3
    states[:, :4] = 5
    assert model.symbols(states).tolist() == [0, 1, 2, 7]


def test_sizes_and_starts():
    assert count_parameters(make_model("shplrnn", 3, 3, hidden=50)) == 356, "as published"
    assert count_parameters(make_model("shplrnn", 3, 3, hidden=150)) == 1056
    assert make_model("alrnn", 3, 3, units=2, relus=2).units == 5
    torch.manual_seed(0)
    assert 0 < stable_diagonal(20).min() < stable_diagonal(20).max() < 1
