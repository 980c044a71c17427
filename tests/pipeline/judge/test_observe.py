"""The task `observe` from training to figures: errors by step, whole rows run over, and what there is none of."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from trajstore.data import DataError, TrajectoryDataset, get_task
from trajstore.pipeline import RunError, evaluate, generate, load_trained, plot, roll_out, train
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.judge import stateful
from trajstore.pipeline.runs.samples import load_normalizer

TASK = {"inputs": ["z", "x"], "targets": ["y"]}
CIRCLE = {
    "system": {
        "name": "circle",
        "equations": {"x": "y", "y": "-x", "z": "0.1*x"},
        "initial_state": {"x": [-1.0, 1.0], "y": [-1.0, 1.0], "z": [2.0, 3.0]},
    },
    "initial_states": {"kind": "normal", "std": {"x": 1.0, "y": 2.0, "z": 0.1}},
    "grid": {"duration": 10.0, "points": 41},
    "dataset": {"train": 20, "validation": 4, "test": 6, "dtype": "float64"},
    "task": {"name": "observe", **TASK, "window": 8},
    "model": {"hidden": 6},
    "training": {"batch": 32, "steps": 30, "evaluate_every": 10},
    "evaluation": {"rollouts": 4},
}


@pytest.fixture(scope="module")
def circle(experiment):
    """`circle(task={...})` is the experiment, changed by these sections."""
    return lambda **sections: experiment(
        **{name: {**CIRCLE.get(name, {}), **sections.get(name, {})} for name in {**CIRCLE, **sections}}
    )


@pytest.fixture(scope="module")
def dataset(circle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("observe") / "dataset"
    generate(circle(), folder, jobs=1)
    return folder


@pytest.fixture(scope="module", params=[(0, False), (1, True)], ids=["now", "ahead-normalized"])
def run(request, circle, dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("observe") / "run"
    ahead, normalize = request.param
    train(circle(task={"ahead": ahead, "normalize": normalize}), dataset, folder)
    return folder


def stepped(run, states, first, last):
    """Targets and what the network tells of them (N, T), one input at a time from point to point, by hand."""
    config, model = load_trained(run)
    ahead, normalizer, seen = config.learning.task.ahead, load_normalizer(config), states
    if normalizer is not None:
        seen = (states - np.array(normalizer.mean)) / np.array(normalizer.std)
    memory, told = None, []
    for point in range(first, last - ahead):
        output, memory = model.step(torch.from_numpy(seen[:, point][:, [2, 0]]).float(), memory)
        told.append(output[:, 0].detach().double().numpy())
    told = np.stack(told, axis=1)
    if normalizer is not None:
        told = told * normalizer.std[1] + normalizer.mean[1]
    return states[:, first + ahead : last, 1], told


@pytest.mark.slow
def test_errors_are_those_of_a_loop_by_hand_in_windows_and_over_whole_rows(run, dataset):
    metrics = evaluate(run)
    test = metrics["test"]
    states = TrajectoryDataset(dataset, "test", dtype="float64").states(slice(None)).numpy()
    squares = [np.square(np.subtract(*stepped(run, states, at, at + 8))) for at in range(41 - 8 + 1)]
    by_step = np.concatenate(squares).mean(axis=0)
    np.testing.assert_allclose(test["mse_by_time"], by_step, rtol=1e-4)
    assert test["first_mse"] == test["mse_by_time"][0]
    assert test["later_mse"] == pytest.approx(by_step[1:].mean(), rel=1e-4)
    assert test["mse_by_component"].keys() == {"y"}
    scale = TrajectoryDataset(dataset, "train", dtype="float64").states(slice(None)).numpy()[..., 1].std()
    assert test["nrmse"] == pytest.approx(np.sqrt(by_step.mean()) / scale, rel=1e-4)
    chosen = np.linspace(0, 5, 4).astype(int)
    rows = np.square(np.subtract(*stepped(run, states[chosen], 0, 41))).mean(axis=0)
    np.testing.assert_allclose(test["stateful_mse_by_time"], rows, rtol=1e-4)
    assert test["stateful_mse"] == pytest.approx(rows.mean(), rel=1e-4)
    assert test["stateful_later_mse"] == pytest.approx(rows[1:].mean(), rel=1e-4)
    assert (test["stateful_rows"], test["stateful_finite"], test["stateful_points"]) == (4, 4, len(rows))


@pytest.mark.slow
@pytest.mark.parametrize("model", [{"name": "gru", "hidden": 6}, {"name": "mlp", "points": 2}])
def test_stepping_over_rows_gives_what_whole_rows_give(circle, dataset, tmp_path, model):
    config = circle(evaluation={"rollouts": 6})
    section = type(config.model).model_validate(model)
    whole = config.task.model_copy(update={"window": None})
    train(config.model_copy(update={"model": section, "task": whole}), dataset, tmp_path / "run")
    evaluate(tmp_path / "run")
    with np.load(tmp_path / "run/evaluation.npz") as arrays:
        shown = np.flatnonzero(np.isin(arrays["stateful_row"], arrays["row"]))
        places = [int(np.flatnonzero(arrays["row"] == row)[0]) for row in arrays["stateful_row"][shown]]
        assert len(shown) == 4
        np.testing.assert_allclose(
            arrays["stateful_predicted"][shown], arrays["predicted"][places], rtol=0, atol=1e-6
        )
        np.testing.assert_array_equal(arrays["stateful_true"][shown], arrays["true"][places])


@pytest.mark.slow
def test_of_very_long_rows_the_beginning_is_run_over(run, dataset, monkeypatch):
    whole = evaluate(run)["test"]["stateful_mse_by_time"]
    monkeypatch.setattr(stateful, "MOST_POINTS", 10)
    part = evaluate(run)["test"]["stateful_mse_by_time"]
    assert len(part) == len(whole) - 31
    assert part == pytest.approx(whole[: len(part)])


@pytest.mark.slow
def test_trivial_predictors_know_the_targets_mean_and_the_inputs_of_the_same_step(run, dataset):
    metrics = evaluate(run)
    ahead = load_trained(run)[0].learning.task.ahead
    found = {}
    for split in ("train", "test"):
        windows = TrajectoryDataset(dataset, split, get_task("forecast"), window=8, dtype="float64").states(
            slice(None)
        )
        before = windows[:, : 8 - ahead, [2, 0]].reshape(-1, 2).numpy()
        found[split] = np.hstack([np.ones((len(before), 1)), before]), windows[:, ahead:, 1].numpy().ravel()
    (told, target), (test_told, test_target) = found["train"], found["test"]
    coefficients = np.linalg.lstsq(told, target, rcond=None)[0]
    linear = np.square(test_told @ coefficients - test_target).mean()
    baselines = metrics["baselines"]
    assert baselines["linear"]["mse"] == pytest.approx(linear, rel=1e-6)
    assert baselines["mean"]["mse"] == pytest.approx(np.square(test_target - target.mean()).mean(), rel=1e-6)
    assert baselines["zero"]["mse"] == pytest.approx(np.square(test_target).mean(), rel=1e-6)
    assert not {"persistence", "rotation"} & baselines.keys(), "no input is a target"


def test_a_run_keeps_what_it_is_given_and_tells(run):
    stored = json.loads((run / "config.json").read_text())
    assert (stored["inputs"], stored["targets"]) == (["z", "x"], ["y"])
    config, model = load_trained(run / "best.pt")
    assert (model.input_size, model.output_size) == (2, 1)
    assert config.components == ["x", "y", "z"]


@pytest.mark.slow
def test_figures_are_drawn_and_there_are_no_rollouts(run):
    assert evaluate(run)["rollout"] is None
    assert {path.stem for path in plot(run)} == {"flow", "loss", "error", "stateful", "predictors"}
    config, model = load_trained(run)
    task = get_task("observe", **TASK)
    with pytest.raises(DataError, match=r"observe.*given its inputs at every step.*model\.step"):
        roll_out(model, load_normalizer(config), task, np.zeros((1, 2)), 8, 1)


@pytest.mark.slow
def test_what_is_evaluated_is_printed(run):
    said = CliRunner().invoke(main, ["evaluate", str(run)]).output
    test = json.loads((run / "metrics.json").read_text())["test"]
    assert f"no past is known: {test['first_mse']:.3g}, after it {test['later_mse']:.3g}" in said
    assert f"4 whole rows of {test['stateful_points']} points" in said
    assert f"{test['stateful_mse']:.3g}, without the first step {test['stateful_later_mse']:.3g}" in said


@pytest.mark.slow
def test_resumed_training_ends_in_the_same_weights(circle, dataset, tmp_path):
    config = circle(training={"schedule": "constant"})
    train(config, dataset, tmp_path / "whole")
    train(circle(training={"schedule": "constant", "steps": 10}), dataset, tmp_path / "parts")
    train(config, dataset, tmp_path / "parts", resume=True)
    one, other = (load_trained(tmp_path / name)[1].state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_losses_and_validation_are_in_raw_units_and_refinement_goes_on(circle, dataset, tmp_path):
    """Of the target's own deviation, which is not that of the first component."""
    config = circle(task={"normalize": True}, refinement={"steps": 2, "batch": 64, "samples": 8})
    standing = train(config, dataset, tmp_path / "run")
    found, model = load_trained(tmp_path / "run")
    normalizer = load_normalizer(found)
    split = TrajectoryDataset(
        dataset, "validation", get_task("observe", **TASK), window=8, normalize=normalizer
    )
    inputs, targets = split[:]
    with torch.no_grad():
        missed = (model(inputs) - targets) * normalizer.std[1]
    assert standing.best_validation == pytest.approx(missed.square().mean().item(), rel=1e-4)


def test_the_best_weights_may_be_those_of_the_least_stateful_error(circle, dataset, tmp_path):
    config = circle(training={"select": "stateful_mse"})
    train(config, dataset, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    selected = {line["step"]: line["selected"] for line in lines if "selected" in line}
    assert len(selected) == 3
    best = json.loads((tmp_path / "run/training.json").read_text())["best_step"]
    assert selected[best] == min(selected.values())


def test_metrics_of_rollouts_are_no_choice(circle, dataset, tmp_path):
    with pytest.raises(RunError, match=r"training\.select: got 'vpt', expected one of .*stateful_mse"):
        train(circle(training={"select": "vpt"}), dataset, tmp_path / "run")
    assert not (tmp_path / "run/config.json").exists()


def test_a_network_that_cannot_step_is_refused_before_anything_is_written(circle, dataset, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom trajstore.models import Model\nclass Whole(Model):\n"
        "    def __init__(self, input_size, output_size):\n        super().__init__()\n"
        "        self.line = torch.nn.Linear(input_size, output_size)\n"
        "    def forward(self, inputs):\n        return self.line(inputs)\n"
    )
    (tmp_path / "config.toml").write_text(
        '[task]\nname = "observe"\ninputs = ["x"]\ntargets = ["y"]\n[model]\nname = "mine.py:Whole"\n'
    )
    call = ["train", str(tmp_path / "config.toml"), "--data", str(dataset), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 2
    assert "mine.py:Whole has no `step`" in result.output
    assert not (tmp_path / "run").exists()
