"""The echo state network: its equations as loops, its patches, and that a readout is found that goes on."""

import numpy as np
import pytest
import torch
from trajstore.data import DataError
from trajstore.models import DataFacts, Reservoir, count_parameters, make_model
from trajstore.pipeline.config.learners import LeastSquaresSettings
from trajstore.pipeline.config.learning import TrainingSection
from trajstore.pipeline.learn.learner import Context
from trajstore.pipeline.learn.least_squares import LeastSquares
from trajstore.pipeline.runs.files import RunError


def build(inputs=3, outputs=3, **settings) -> Reservoir:
    torch.manual_seed(0)
    return make_model("reservoir", inputs, outputs, **{"units": 12, "washout": 0, **settings}).double().eval()


def sequence(steps=11, size=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, steps, size, dtype=torch.float64, generator=generator)


def loop(model, inputs):
    """Features by the formula of one reservoir, of inputs (B, T, K)."""
    weights, entry, bias = (getattr(model, name).numpy() for name in ("weights", "inputs", "bias"))
    state, found = np.zeros((len(inputs), len(weights))), []
    for now in inputs.transpose(1, 0, 2):
        state = (1 - model.leak) * state + model.leak * np.tanh(state @ weights + now @ entry + bias)
        squared = np.where(np.arange(len(weights)) % 2 == 0, state**2, state)
        found.append(np.concatenate([squared, now], axis=1))
    return np.stack(found, axis=1)


@pytest.mark.parametrize("leak", [1.0, 0.3])
@torch.no_grad()
def test_outputs_are_those_of_the_formula(leak):
    model, inputs = build(leak=leak, strength=0.8), sequence()
    expected = loop(model, inputs.numpy()) @ model.readout.weight.numpy().T + model.readout.bias.numpy()
    np.testing.assert_allclose(model(inputs), expected, rtol=0, atol=1e-13)
    assert count_parameters(model) == 3 * (12 + 3 + 1)


@pytest.mark.parametrize("settings", [{}, {"patch": 2, "overlap": 1, "leak": 0.4}])
@torch.no_grad()
def test_steps_and_pieces_give_the_outputs_of_the_whole_sequence_and_later_inputs_change_nothing(settings):
    model, inputs = build(7, 6, **settings), sequence(9, 7)
    memory, outputs = None, []
    for now in inputs.unbind(1):
        output, memory = model.step(now, memory)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs, 1), model(inputs), rtol=0, atol=1e-13)
    first, memory = model.run(inputs[:, :4])
    last, _ = model.run(inputs[:, 4:], memory)
    torch.testing.assert_close(torch.cat([first, last], 1), model(inputs), rtol=0, atol=1e-13)
    changed = inputs.clone()
    changed[:, 5:] = 9.0
    assert torch.equal(model(inputs)[:, :5], model(changed)[:, :5])


@pytest.mark.slow
def test_weights_have_the_radius_and_the_connections_that_are_asked_for():
    model = build(units=300, radius=0.7, connections=5)
    assert np.abs(np.linalg.eigvals(model.weights.numpy())).max() == pytest.approx(0.7, rel=1e-5)
    assert (model.weights != 0).sum().item() / 300 == pytest.approx(5, abs=0.5)
    assert not torch.equal(model.weights, make_model("reservoir", 3, 3, units=300, radius=0.7).weights)


@torch.no_grad()
def test_patches_see_their_neighbours_on_a_ring_and_one_map_serves_all():
    model, inputs = build(7, 6, patch=2, overlap=1), sequence(9, 7)
    shown = inputs.numpy()
    # The last of the seven is told beside the state.
    seen = [[5, 0, 1, 2, 6], [1, 2, 3, 4, 6], [3, 4, 5, 0, 6]]
    weight, bias = model.readout.weight.numpy(), model.readout.bias.numpy()
    expected = [loop(model, shown[..., places]) @ weight.T + bias for places in seen]
    np.testing.assert_allclose(model(inputs), np.concatenate(expected, axis=2), rtol=0, atol=1e-13)
    turned = torch.cat([inputs[..., :6].roll(2, dims=2), inputs[..., 6:]], dim=2)
    torch.testing.assert_close(model(turned), model(inputs).roll(2, dims=2), rtol=0, atol=1e-13)


def test_a_readout_by_patches_is_that_of_numpys_least_squares_over_all_of_them():
    model, inputs = build(6, 6, patch=2, overlap=1, washout=3), sequence(40, 6)
    targets = sequence(41, 6)[:, 1:]
    learner = LeastSquares(Context(model, LeastSquaresSettings(ridge=0.0), TrainingSection()))
    learner.step(0, inputs[:2], targets[:2])
    learner.step(1, inputs[2:], targets[2:])
    seen = [[5, 0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 0]]
    features = np.concatenate([loop(model, inputs.numpy()[..., places])[:, 3:] for places in seen]).reshape(
        -1, 16
    )
    told = np.concatenate([targets.numpy()[:, 3:, 2 * k : 2 * k + 2] for k in range(3)]).reshape(-1, 2)
    expected = np.linalg.lstsq(np.c_[features, np.ones(len(features))], told, rcond=None)[0]
    np.testing.assert_allclose(model.readout.weight.detach(), expected[:-1].T, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.readout.bias.detach(), expected[-1], rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@torch.no_grad()
def test_it_goes_on_by_itself_after_it_has_learned():
    """The Henon map, whose next state no linear readout of the present one gives."""
    states = [np.array([0.1, 0.1])]
    for _ in range(1500):
        x, y = states[-1]
        states.append(np.array([1 - 1.4 * x * x + y, 0.3 * x]))
    rows = torch.from_numpy(np.stack(states))[None]
    model = build(2, 2, units=200, strength=1.0, radius=0.3, washout=50)
    learner = LeastSquares(Context(model, LeastSquaresSettings(ridge=1e-12), TrainingSection()))
    learner.step(0, rows[:, :1400], rows[:, 1:1401])
    _, memory = model.run(rows[:, :1450])
    now = rows[:, 1450]
    for step in range(10):
        now, memory = model.step(now, memory)
        assert (now - rows[:, 1451 + step]).abs().max() < 1e-2
    assert (model(rows[:, :-1])[:, 50:] - rows[:, 51:]).square().mean() < 1e-8


def test_a_washout_that_leaves_nothing_is_refused():
    model = build(washout=11)
    learner = LeastSquares(Context(model, LeastSquaresSettings(), TrainingSection()))
    with pytest.raises(RunError, match=r"model\.washout: got 11, but samples have 11 steps"):
        learner.step(0, sequence(), sequence())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"patch": 4}, r"model\.patch: got 4, expected a divisor of the 6 components"),
        ({"patch": 2, "overlap": 3}, "expected 2 at most"),
    ],
)
def test_patches_that_do_not_fit_are_refused(given, said):
    components = tuple("abcdef")
    facts = DataFacts(components, (0.0,) * 6, (1.0,) * 6, 0.1, True, lambda: [])
    with pytest.raises(DataError, match=said):
        Reservoir.completed(Reservoir.Settings(**given).model_dump(), facts)
    # Without a dataset as well: of six components a patch of four saw four, and told all six.
    with pytest.raises(DataError, match=said):
        build(6, 6, **given)
    assert Reservoir.completed(Reservoir.Settings(patch=3).model_dump(), facts)["patch"] == 3
