"""Figures: each shows what the run's files say; the same run gives the same picture; any dimension is drawn."""

import json

import matplotlib.image
import numpy as np
import pytest
from trajstore.pipeline import evaluate, generate, plot, train
from trajstore.pipeline.draw.run_figures.error import draw_error
from trajstore.pipeline.draw.run_figures.flow import draw_flow
from trajstore.pipeline.draw.run_figures.loss import draw_loss
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_figures.predictors import draw_predictors
from trajstore.pipeline.draw.run_figures.rollout import draw_rollout

pytestmark = pytest.mark.slow

FAST = {
    "model": {"hidden": 6},
    "training": {"batch": 16, "steps": 40, "evaluate_every": 10},
    "evaluation": {"rollouts": 3, "rollout_lengths": 10},
}


@pytest.fixture(scope="module")
def run(experiment, small_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plot") / "run"
    train(experiment(**FAST), small_dataset, folder)
    evaluate(folder)
    return folder


def test_the_same_run_gives_the_same_pictures(run):
    paths = plot(run)
    first = {path.name: path.read_bytes() for path in paths}
    assert set(first) == {"flow.png", "loss.png", "error.png", "rollout.png", "predictors.png", "growth.png"}
    assert {path.name: path.read_bytes() for path in plot(run)} == first
    for path in paths:
        pixels = matplotlib.image.imread(path)
        assert min(pixels.shape[:2]) > 400
        assert pixels[..., :3].std() > 0.02, "not a blank page"


def test_the_flow_shows_true_and_predicted_test_trajectories(run):
    results = load_results(run)
    axes = draw_flow(results).axes[0]
    drawn = {tuple(np.round(line.get_xydata().ravel(), 9)) for line in axes.lines}
    for name in ("true", "predicted"):
        for trajectory in results[name]:
            assert tuple(np.round(trajectory.ravel(), 9)) in drawn
    assert "$x_{1}$" in axes.get_xlabel()


def test_the_loss_curves_are_those_of_the_run(run):
    axes = draw_loss(load_results(run)).axes[0]
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    np.testing.assert_array_equal(
        lines["training, smoothed"], [[row["step"], row["smoothed_loss"]] for row in rows]
    )
    validated = [[row["step"], row["validation_mse"]] for row in rows if "validation_mse" in row]
    np.testing.assert_array_equal(lines["validation"], validated)


def test_the_error_figure_shows_the_metrics_root_mean_square(run):
    axes = draw_error(load_results(run)).axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    metrics = json.loads((run / "metrics.json").read_text())
    np.testing.assert_allclose(lines["root mean square"] ** 2, metrics["test"]["mse_by_time"])


def test_the_dots_are_all_predictors_and_the_model_and_none_is_a_bar(run):
    axes = draw_predictors(load_results(run)).axes[0]
    metrics = json.loads((run / "metrics.json").read_text())
    assert not axes.patches, "a bar on a logarithmic axis has no origin"
    ends = sorted(line.get_xdata()[0] for line in axes.lines)
    values = [metrics["test"]["mse"], *(entry["mse"] for entry in metrics["baselines"].values())]
    np.testing.assert_allclose(ends, sorted(values))
    names = {label.get_text() for label in axes.get_yticklabels()}
    assert names == {"LSTM", *(name.replace("-", " ") for name in metrics["baselines"])}


def test_no_legend_lies_on_the_data(run):
    results = load_results(run)
    for draw in (draw_flow, draw_loss, draw_error, draw_rollout):
        figure = draw(results)
        figure.draw_without_rendering()
        for legend in figure.legends:
            box = legend.get_window_extent()
            for axes in figure.axes:
                assert legend.axes is None
                assert not box.overlaps(axes.get_window_extent())


@pytest.mark.parametrize("dimension", [1, 3])
def test_other_dimensions_are_drawn_as_time_series(dimension, experiment, tmp_path):
    names = "xyz"[:dimension]
    system = {
        "name": "relaxation",
        "equations": {name: f"-{1 + index}*{name}" for index, name in enumerate(names)},
        "initial_state": {name: [-1.0, 1.0] for name in names},
    }
    config = experiment(system=system, **FAST)
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    evaluate(tmp_path / "run")
    figure = draw_flow(load_results(tmp_path / "run"))
    assert len(figure.axes) == 4 * dimension
    assert len(plot(tmp_path / "run")) == 6
