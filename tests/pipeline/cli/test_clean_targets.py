"""Noisy datasets: what is learned and judged against, how large the noise is, and what the figures call true."""

import json

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from trajstore.data import DataError, TrajectoryDataset, make_loader
from trajstore.data.batches.device_dataset import ResidentDataset, resident_bytes
from trajstore.pipeline import ConfigError, evaluate, generate, load_config, plot, train
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.draw.run_figures.error import draw_error
from trajstore.pipeline.draw.run_figures.flow import draw_flow, draw_time_series
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_figures.predictors import draw_predictors
from trajstore.pipeline.draw.run_figures.rollout import draw_rollout
from trajstore.pipeline.runs.folder import RunConfig

pytestmark = pytest.mark.slow

NOISE = {"noise": {"absolute": {"x1": 0.3, "x2": 0.05}}, "clean": True}
FAST = {
    "dataset": {"train": 70, "validation": 20, "test": 40, "dtype": "float64"},
    "model": {"hidden": 6},
    "training": {"batch": 16, "steps": 20, "evaluate_every": 10},
    "evaluation": {"rollouts": 3, "rollout_lengths": 3},
}


@pytest.fixture(scope="module")
def noisy(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy") / "dataset"
    generate(experiment(observation=NOISE, **FAST), folder, jobs=1)
    return folder


@pytest.fixture(scope="module", params=["observed", "clean"])
def run(request, experiment, noisy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy") / "run"
    train(experiment(task={"normalize": True, "target": request.param}, **FAST), noisy, folder)
    evaluate(folder)
    return folder


def stored(folder, split, name):
    return np.concatenate([h5py.File(path)[name][()] for path in sorted(folder.glob(f"{split}-*.h5"))])


@pytest.mark.parametrize("task", ["initial-value", "forecast"])
@pytest.mark.parametrize("window", [{}, {"window": 8, "stride": 5}])
def test_inputs_are_observed_and_targets_clean(noisy, task, window):
    seen = TrajectoryDataset(noisy, "train", task, normalize=True, **window)
    asked = TrajectoryDataset(noisy, "train", task, normalize=True, target="clean", **window)
    index = [0, 40, len(seen) - 1]
    assert torch.equal(seen[index][0], asked[index][0])
    shift = 0 if task == "initial-value" else 1
    clean = asked.states(index, "clean_state")[:, shift:]
    np.testing.assert_allclose(asked.normalizer.invert(asked[index][1]), clean, atol=1e-5)
    assert (seen[index][1] - asked[index][1]).abs().mean() > 0.01
    assert torch.equal(asked[3][1], asked[[3]][1][0])
    held = ResidentDataset(asked, "cpu")
    for one, other in zip(held[torch.tensor(index)], asked[index], strict=True):
        assert torch.equal(one, other)
    values = [*vars(held).values(), *held._beside.values()]
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    assert sum(tensor.nbytes for tensor in tensors) == resident_bytes(asked)


def test_targets_that_are_not_stored_or_not_read_are_refused(small_dataset, noisy):
    with pytest.raises(
        DataError, match=r'target "clean" needs states without noise.*observation.clean = true'
    ):
        TrajectoryDataset(small_dataset, target="clean")
    with pytest.raises(DataError, match="target is 'true'; expected one of observed, clean"):
        TrajectoryDataset(small_dataset, target="true")
    with pytest.raises(DataError, match="reads no clean targets"):
        make_loader(TrajectoryDataset(noisy, target="clean"), 8, shuffle="block")


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ("", 'task.target: "clean" needs the states without noise'),
        ("[observation]\nnoise = { absolute = 0.1 }", "give observation.clean = true"),
        (
            '[observation]\nnoise = { absolute = 0.1 }\nclean = true\n[training]\nshuffle = "block"',
            'training.shuffle: "block" reads no clean targets',
        ),
    ],
)
def test_a_config_that_asks_for_what_will_not_be_stored_is_refused_before_any_work(sections, said, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        '[system]\nname = "van-der-pol"\n[grid]\nduration = 1.0\npoints = 5\n[dataset]\ntrain = 5\n'
        f'[task]\ntarget = "clean"\n{sections}'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(config)
    assert said in str(caught.value)


def test_metrics_say_how_large_the_noise_is_and_what_lies_beneath_it(run, noisy):
    metrics = json.loads((run / "metrics.json").read_text())
    observed, clean = stored(noisy, "test", "state"), stored(noisy, "test", "clean_state")
    noise = metrics["test"]["noise"]
    squared = (observed - clean) ** 2
    assert noise["mse"] == pytest.approx(squared.mean(), rel=1e-4)
    assert noise["rms"] == pytest.approx(np.sqrt(squared.mean()), rel=1e-4)
    # As the config says, to the error of 840 numbers.
    sizes = np.sqrt(list(noise["mse_by_component"].values()))
    np.testing.assert_allclose(sizes, [0.3, 0.05], rtol=0.12)
    assert metrics["dataset"]["noise"] == NOISE["noise"]
    target = RunConfig.load(run).learning.task.target
    assert noise["target"] == target
    # Noise that nobody can foretell adds to the error against what is observed.
    beneath = noise["model_mse_without_noise"]
    expected = beneath if target == "clean" else beneath + noise["mse"]
    assert metrics["test"]["mse"] == pytest.approx(expected, rel=0.05)
    zero = (clean if target == "clean" else observed) ** 2
    assert metrics["baselines"]["zero"]["mse"] == pytest.approx(zero.mean(), rel=1e-4)
    done = CliRunner().invoke(main, ["evaluate", str(run)])
    assert f"RMS {noise['rms']:.3g}" in done.output
    assert ("below which no test MSE can be expected" in done.output) == (target == "observed")


def test_what_figures_call_true_has_no_noise(run, noisy):
    results = load_results(run)
    clean = stored(noisy, "test", "clean_state")
    for figure in (draw_flow(results), draw_time_series(results), draw_rollout(results)):
        lines = {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}
        assert "true" not in lines
        assert "true, without noise" in lines
    lines = {line.get_label(): line.get_xydata() for line in draw_flow(results).axes[0].lines}
    # It is drawn through more points than the samples, and through these.
    smooth = lines["true, without noise"]
    between = (len(smooth) - 1) // (len(clean[0]) - 1)
    np.testing.assert_allclose(smooth[::between], clean[0], atol=1e-5)
    assert ("observed, with noise" in lines) == (RunConfig.load(run).learning.task.target == "observed")
    noise = results["metrics"]["test"]["noise"]
    for draw, size in ((draw_error, noise["rms"]), (draw_predictors, noise["mse"])):
        lines = {line.get_label(): line.get_xydata() for line in draw(results).axes[0].lines}
        assert ("noise" in lines) == (noise["target"] == "observed")
        assert "noise" not in lines or (lines["noise"] == size).any()
    assert len(plot(run)) == 6


def test_without_clean_states_the_figure_does_not_call_observed_ones_true(experiment, tmp_path):
    config = experiment(observation={"noise": {"absolute": 0.1}}, **FAST)
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    assert "noise" not in evaluate(tmp_path / "run")["test"]
    results = load_results(tmp_path / "run")
    labels = [line.get_label() for line in draw_flow(results).axes[0].lines if line.get_label()[0] != "_"]
    assert labels == ["observed, with noise", "predicted"]
    labels = [line.get_label() for line in draw_rollout(results).axes[0].lines]
    assert "true, without noise" in labels
    assert "true" not in labels


def test_runs_that_were_made_before_there_was_a_choice_stay_the_same_runs(experiment):
    config = experiment()
    assert "target" not in config.learning()["task"]
    assert experiment(task={"target": "observed"}).learning() == config.learning()
    assert experiment(task={"target": "clean"}, observation=NOISE).learning()["task"]["target"] == "clean"
