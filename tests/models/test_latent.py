"""Models that go on in a space of their own: steps, runs and whole sequences agree, rollouts stay in that space, and
the latent energy is kept.
"""

import numpy as np
import pytest
import torch
from trajstore.data import DataError, TrajectoryDataset, get_task
from trajstore.models import LatentHNN, LatentModel
from trajstore.pipeline import evaluate, load_trained, read_curve, roll_out, train

SIZE = 6


def network(field: str = "hamiltonian", seed: int = 0) -> LatentHNN:
    torch.manual_seed(seed)
    return LatentHNN(SIZE, SIZE, latent=4, width=7, hidden=[9, 5], field=field).double()


def states(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Turning(LatentModel):
    """Knows that states turn about the origin: its latent state is the last one."""

    def __init__(self, turn: float) -> None:
        super().__init__()
        self.input_size = self.output_size = 2
        self.turn = torch.nn.Parameter(torch.tensor(turn, dtype=torch.float64))
        self.encoded = 0

    def encode(self, before, now):
        self.encoded += 1
        return now

    def advance(self, latent):
        cos, sin = torch.cos(self.turn), torch.sin(self.turn)
        return latent @ torch.stack([torch.stack([cos, sin]), torch.stack([-sin, cos])])

    def decode(self, latent):
        return latent


@pytest.mark.parametrize("field", ["hamiltonian", "free"])
def test_steps_and_pieces_give_what_the_whole_sequence_does(field):
    model, inputs = network(field), states(3, 8)
    whole = model(inputs)
    memory, steps = None, []
    for now in inputs.unbind(1):
        output, memory = model.step(now, memory)
        steps.append(output)
    torch.testing.assert_close(torch.stack(steps, dim=1), whole)
    first, memory = model.run(inputs[:, :5])
    torch.testing.assert_close(torch.cat([first, model.run(inputs[:, 5:], memory)[0]], dim=1), whole)


def test_a_rollout_is_the_latent_flow_and_sees_none_of_its_predictions():
    model = Turning(0.3)
    start = np.array([[1.0, 0.0], [0.0, 2.0]])
    found = roll_out(model, None, "forecast", start, 2, 40)
    angle = 0.3 * np.arange(41)
    np.testing.assert_allclose(found[0], np.stack([np.cos(angle), np.sin(angle)], axis=1), atol=1e-12)
    np.testing.assert_allclose(found[1], 2 * np.stack([-np.sin(angle), np.cos(angle)], axis=1), atol=1e-12)
    assert model.encoded == 1


def test_the_history_of_a_rollout_is_its_last_two_states():
    model, history = network(), states(3, 5)
    task, none = get_task("forecast"), torch.empty(3, 0, dtype=torch.float64)
    found = task.go_on(model, history, 3, none, 3)
    latent = model.encode(history[:, -2], history[:, -1])
    for number in range(3):
        latent = model.advance(latent)
        torch.testing.assert_close(found[:, number], model.decode(latent))


def test_the_latent_field_is_the_symplectic_gradient_and_its_steps_keep_the_energy_to_fourth_order():
    model = network()
    latent = 0.5 * torch.randn(20, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    asked = latent.clone().requires_grad_()
    slopes = torch.autograd.grad(model.energy(asked).sum(), asked)[0]
    torch.testing.assert_close(model.field(latent), torch.cat([slopes[:, 2:], -slopes[:, :2]], dim=1))
    lost = []
    for size in (1.0, 0.5):
        with torch.no_grad():
            model.energy.last.weight.mul_(1 if size == 1.0 else 0.5)
            lost.append(
                (model.energy(model.advance(latent)) - model.energy(latent)).abs().max().item() / size
            )
    # A field half as fast is a step half as long, and a step of a method of fourth order then errs 32 times less.
    assert lost[0] < 1e-3
    assert lost[1] < lost[0] / 20


def test_the_loss_is_what_is_lost_and_what_the_latent_states_are_off_by():
    model, inputs, targets = network(), states(5, 2), states(5, 2) + 1
    told = torch.cat([inputs[:, :1], targets], dim=1)
    pairs = torch.cat([told[:, :-1], told[:, 1:]], dim=2)
    z = model.encoder(pairs)
    lost = (model.decoder(z) - pairs).square().mean()
    moved = (model.advance(z[:, 0]) - z[:, 1]).square().mean()
    momenta = (z[:, 0, 2:] - (z[:, 1, :2] - z[:, 0, :2])).square().mean()
    torch.testing.assert_close(model.loss(inputs, targets), lost + 0.1 * moved + momenta)


def test_what_it_cannot_learn_is_refused():
    with pytest.raises(DataError, match="latent-hnn learns from states alone"):
        LatentHNN(SIZE + 1, SIZE)
    with pytest.raises(DataError, match="expected an even number"):
        LatentHNN(SIZE, SIZE, latent=3)
    with pytest.raises(DataError, match="windows of 3 points"):
        network().loss(states(2, 1), states(2, 1))


@pytest.mark.slow
def test_it_is_chosen_by_what_it_learns_and_the_first_forecast_is_told_apart(
    experiment, small_dataset, tmp_path
):
    config = experiment(
        task={"name": "forecast", "window": 6},
        model={"name": "latent-hnn", "width": 8, "hidden": [8]},
        training={"steps": 3, "batch": 16, "evaluate_every": 1, "threads": 1},
        evaluation={"rollouts": 2, "rollout_lengths": 1},
    )
    train(config, small_dataset, tmp_path / "run")
    _, model = load_trained(tmp_path / "run")
    errors = {}
    for split in ("validation", "test"):
        dataset = TrajectoryDataset(small_dataset, split, "forecast", window=6)
        inputs, targets = dataset[:]
        with torch.no_grad():
            predicted = model(inputs)
        errors[split] = (predicted - targets).double().square().mean(dim=(0, 2)).numpy()
    seen = [row["validation_mse"] for row in read_curve(tmp_path / "run") if "validation_mse" in row]
    assert min(seen) == pytest.approx(errors["validation"][1:].mean(), rel=1e-5)
    assert min(seen) != pytest.approx(errors["validation"].mean(), rel=1e-3)
    test = evaluate(tmp_path / "run")["test"]
    assert test["first_mse"] == pytest.approx(errors["test"][0], rel=1e-5)
    assert test["later_mse"] == pytest.approx(errors["test"][1:].mean(), rel=1e-5)
    assert test["mse"] == pytest.approx(errors["test"].mean(), rel=1e-5)
