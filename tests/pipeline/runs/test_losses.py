"""Losses are told in raw units, and telling them changes no weight; a run of before goes on with its own units."""

import json

import numpy as np
import pytest
import torch
from trajstore.data import TrajectoryDataset
from trajstore.data.base.files import write_text
from trajstore.pipeline import evaluate, load_trained, train
from trajstore.pipeline.config.learning import RefinementSection, TrainingSection
from trajstore.pipeline.draw.run_figures.loss import draw_loss
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.learn.first_order import FirstOrder
from trajstore.pipeline.learn.levenberg_marquardt import LevenbergMarquardt
from trajstore.pipeline.learn.validation import mean_squared_error
from trajstore.pipeline.runs.curve import read_curve
from trajstore.pipeline.runs.files import load_checkpoint, save_checkpoint
from trajstore.pipeline.runs.loss_units import told_loss
from trajstore.pipeline.runs.model import build_model

pytestmark = pytest.mark.slow

LEARNING = {
    "model": {"hidden": 4},
    "training": {"batch": 8, "steps": 24, "evaluate_every": 12},
    "refinement": {"steps": 2, "samples": 8, "batch": 16},
    "task": {"normalize": True},
}


@pytest.mark.parametrize("size", [1e-15, 1.0, 1e25])
def test_a_loss_is_told_in_the_units_of_the_states(size):
    rng, std = np.random.default_rng(0), (3.0 * size, 0.2 * size)
    outputs, targets = (torch.from_numpy(rng.normal(size=(5, 4, 2)).astype(np.float32)) for _ in range(2))
    expected = (((outputs.double() - targets.double()).numpy() * std) ** 2).mean()
    loss = torch.nn.functional.mse_loss(outputs, targets)
    assert told_loss(loss, outputs, targets, std).item() == pytest.approx(expected, rel=1e-6)
    assert told_loss(loss, outputs, targets, None).item() == loss.item()


def learners(model, std):
    yield FirstOrder(model, TrainingSection(), std)
    yield LevenbergMarquardt(model, RefinementSection(samples=8), seed=0, std=std)


@pytest.mark.parametrize("order", [0, 1])
def test_what_is_told_changes_no_weight(order, experiment, small_dataset):
    config = experiment(**LEARNING)
    dataset = TrajectoryDataset(small_dataset, "train", normalize=True)
    inputs, targets = dataset[:16]
    std, told, weights = dataset.normalizer.std, {}, {}
    for units in (None, std):
        torch.manual_seed(0)
        model = build_model(config, 2, 2)
        before = model(inputs).detach()
        learner = list(learners(model, units))[order]
        told[units] = [learner.step(number, inputs, targets).item() for number in range(3)]
        weights[units] = [weight.detach().clone() for weight in model.parameters()]
        raw = ((dataset.normalizer.invert(before) - dataset.normalizer.invert(targets)) ** 2).mean()
        expected = raw if units else ((before - targets) ** 2).mean()
        assert told[units][0] == pytest.approx(expected.item(), rel=1e-5)
    assert all(map(torch.equal, weights[None], weights[std]))
    assert told[None] != told[std]


def test_the_curve_the_summary_and_the_validation_error_have_the_same_units(
    experiment, small_dataset, tmp_path
):
    """Of weights that hardly move, on batches of the whole split, the loss is the error of the train split."""
    still = {"batch": 70, "steps": 20, "evaluate_every": 10, "optimizer": "sgd", "learning_rate": 1e-12}
    config = experiment(model={"hidden": 4}, training=still, task={"normalize": True})
    train(config, small_dataset, tmp_path / "run")
    _, model = load_trained(tmp_path / "run")
    dataset = TrajectoryDataset(small_dataset, "train", normalize=True)
    error = mean_squared_error(model, dataset, torch.device("cpu"))
    for row in read_curve(tmp_path / "run"):
        assert row["loss"] == pytest.approx(error, rel=1e-5)
        assert row["loss_units"] == "raw"
    summary = json.loads((tmp_path / "run/training.json").read_text())
    assert summary["final_smoothed_loss"] == pytest.approx(error, rel=1e-5)
    assert summary["loss_units"] == "raw"


def as_before(run):
    """The run as it was left when losses were told in the units that the network sees, and nothing said so."""
    saved = load_checkpoint(run / "last.pt")
    del saved["standing"]["loss_units"]
    save_checkpoint(run / "last.pt", saved)
    rows = [{key: value for key, value in row.items() if key != "loss_units"} for row in read_curve(run)]
    write_text(run / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    (run / "training.json").unlink(missing_ok=True)


@pytest.mark.parametrize("normalize", [True, False])
def test_a_run_of_before_goes_on_with_its_own_units_and_its_figure_says_so(
    normalize, experiment, small_dataset, tmp_path, monkeypatch
):
    config, run = experiment(**{**LEARNING, "task": {"normalize": normalize}}), tmp_path / "run"
    plain = FirstOrder.step

    def interrupting(self, number, inputs, targets):
        if number == 12:
            raise KeyboardInterrupt
        return plain(self, number, inputs, targets)

    with monkeypatch.context() as patched:
        patched.setattr(FirstOrder, "step", interrupting)
        with pytest.raises(KeyboardInterrupt):
            train(config, small_dataset, run)
    as_before(run)
    train(config, small_dataset, run, resume=True)
    units = "standardised" if normalize else "raw"
    rows = list(read_curve(run))
    assert [row.get("loss_units") for row in rows] == [None] * 2 + [units] * (len(rows) - 2)
    assert json.loads((run / "training.json").read_text())["loss_units"] == units
    evaluate(run)
    labels = [line.get_label() for line in draw_loss(load_results(run)).axes[0].lines]
    said = [" (standardised)", " (standardised)", " (raw)"] if normalize else ["", "", ""]
    assert labels == [f"training, a batch{said[0]}", f"training, smoothed{said[1]}", f"validation{said[2]}"]
    train(config, small_dataset, tmp_path / "new")
    evaluate(tmp_path / "new")
    labels = [line.get_label() for line in draw_loss(load_results(tmp_path / "new")).axes[0].lines]
    assert labels == ["training, a batch", "training, smoothed", "validation"]
    one, other = (load_checkpoint(path / "last.pt")["model"] for path in (run, tmp_path / "new"))
    assert all(torch.equal(one[name], other[name]) for name in one)
