"""What is learned from rows of one length and judged on those of another."""

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError, Normalizer, TrajectoryDataset
from trajstore.pipeline import (
    RunError,
    evaluate,
    evaluate_predictions,
    generate,
    load_normalizer,
    load_trained,
    plot,
    roll_out,
    train,
)
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.config.learning import TaskSection
from trajstore.pipeline.runs.cut import cut_of

LONG = {"train": {"duration": 8.0}, "validation": {"duration": 1.5}}
SHORT = {"train": {"duration": 1.0}, "validation": {"duration": 1.0}, "test": {"duration": 6.0}}
FAST = {
    "model": {"hidden": 4},
    "training": {"batch": 16, "steps": 20, "evaluate_every": 10},
    "evaluation": {"rollouts": 4, "rollout_lengths": 3},
}


def made(experiment, splits, **sections):
    dataset = {"train": 4, "validation": 4, "test": 6}
    return experiment(grid={"splits": splits}, dataset=dataset, **{**FAST, **sections})


@pytest.fixture(scope="module")
def folders(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lengths")
    for name, splits in (("long", LONG), ("short", SHORT)):
        generate(made(experiment, splits), folder / name, jobs=1)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("task", ["initial-value", "forecast"])
@pytest.mark.parametrize(
    ("name", "splits", "window", "points"), [("long", LONG, 16, 21), ("short", SHORT, 11, 61)]
)
def test_a_window_that_is_left_out_is_the_shortest_row(
    experiment, folders, tmp_path, task, name, splits, window, points
):  # fmt: skip
    assert cut_of(TaskSection(), folders / name)["window"] == window
    config = made(
        experiment,
        splits,
        task={"name": task, "normalize": True},
        training={**FAST["training"], "select": "vpt"},
    )
    train(config, folders / name, tmp_path / "run")
    metrics = evaluate(tmp_path / "run")
    assert len(metrics["test"]["mse_by_time"]) == window - (task == "forecast")
    assert metrics["test"]["windows"] == 6 * (points - window + 1)
    # A tenth of a test row, whatever the length of what was learned from.
    assert metrics["rollout"]["warmup"] == (points // 10 if task == "forecast" else 0)
    assert metrics["rollout"]["duration"] == pytest.approx(0.1 * 3 * (window - 1))
    assert metrics["rollout"]["floors"]["final_nrmse"] > 0
    # The same numbers by windows that are written out.
    said = made(
        experiment,
        splits,
        task={"name": task, "normalize": True, "window": window},
        training=config.training.model_dump(),
    )
    train(said, folders / name, tmp_path / "said")
    again = evaluate(tmp_path / "said")
    assert again["test"] == metrics["test"]
    assert again["rollout"] == metrics["rollout"]
    if task == "forecast":
        assert plot(tmp_path / "run")


@pytest.mark.slow
def test_longer_rows_of_another_dataset_are_judged_by_the_windows_that_were_learned(
    experiment, folders, tmp_path
):
    train(made(experiment, SHORT), folders / "short", tmp_path / "run")
    metrics = evaluate(tmp_path / "run", folders / "long")
    assert len(metrics["test"]["mse_by_time"]) == 11
    assert metrics["test"]["windows"] == 6 * (21 - 11 + 1)
    said = made(experiment, SHORT, task={"window": 11})
    train(said, folders / "short", tmp_path / "said")
    assert evaluate(tmp_path / "said", folders / "long")["test"] == metrics["test"]


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [True, False])
def test_a_model_of_a_run_is_asked_for_nothing_that_it_has_not_learned(
    experiment, folders, tmp_path, normalize
):
    train(made(experiment, SHORT, task={"normalize": normalize}), folders / "short", tmp_path / "run")
    config, model = load_trained(tmp_path / "run")
    normalizer = load_normalizer(config)
    assert roll_out(model, normalizer, "initial-value", [[1.0, 0.0]], 11, 2).shape == (1, 21, 2)
    for task, window, said in (
        ("forecast", 11, 'has learned "initial-value"'),
        ("initial-value", 12, "samples of 11 points"),
    ):
        with pytest.raises(DataError, match=said):
            roll_out(model, normalizer, task, [[1.0, 0.0]], window, 2)
    other = None if normalize else Normalizer((0.0, 0.0), (1.0, 1.0))
    with pytest.raises(DataError, match="normalizer"):
        roll_out(model, other, "initial-value", [[1.0, 0.0]], 11, 2)


def test_a_forecast_goes_on_from_point_to_point_however_rollouts_are_counted(experiment, folders, tmp_path):
    train(made(experiment, SHORT, task={"name": "forecast"}), folders / "short", tmp_path / "run")
    _, model = load_trained(tmp_path / "run" / "best.pt")
    once = roll_out(model, None, "forecast", [[1.0, 0.0]], 11, 2)
    np.testing.assert_array_equal(once, roll_out(model, None, "forecast", [[1.0, 0.0]], 21, 1))


@pytest.mark.slow
def test_errors_are_those_of_a_loop_over_single_windows(experiment, folders, tmp_path):
    train(made(experiment, LONG), folders / "long", tmp_path / "run")
    metrics, (_, model) = evaluate(tmp_path / "run"), load_trained(tmp_path / "run")
    states = TrajectoryDataset(folders / "long", "test").states(range(6))
    squares = []
    for row in range(6):
        for first in range(6):
            true = states[row, first : first + 16]
            inputs = np.zeros_like(true.numpy())
            inputs[0] = true[0]
            predicted = model(true.new_tensor(inputs)[None])[0].detach()
            squares.append((predicted - true).square().mean().item())
    assert metrics["test"]["mse"] == pytest.approx(np.mean(squares), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["long", "short"])
def test_predictions_of_rows_of_any_length_are_judged(folders, tmp_path, name):
    test = TrajectoryDataset(folders / name, "test")
    true = test.states(range(6)).numpy()
    metrics = evaluate_predictions(true + 0.5, folders / name, tmp_path / "out")
    assert metrics["test"]["mse"] == pytest.approx(0.25, rel=1e-5)
    # From rows that are shorter than what is foretold no predictor can be fitted for each of its times.
    assert bool(metrics["baselines"]) == (name == "long")
    assert metrics["rollout"]["baselines"]["linear"]["final_nrmse"] < 1
    assert plot(tmp_path / "out")


def command(*arguments):
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    return done.exit_code, done.stderr


def test_a_window_longer_than_the_rows_of_a_split_is_refused(folders, tmp_path):
    path = tmp_path / "learning.toml"
    path.write_text("[task]\nwindow = 17\n")
    code, said = command("train", path, "--data", folders / "long", "--out", tmp_path / "run")
    assert code == 2
    assert "task.window: got 17, but the trajectories of validation in" in said
    assert "have 16 samples" in said


@pytest.mark.slow
def test_a_run_is_not_judged_on_windows_that_do_not_fit(experiment, folders, tmp_path):
    train(made(experiment, LONG, task={"window": 16}), folders / "long", tmp_path / "run")
    assert evaluate(tmp_path / "run", folders / "long")
    code, said = command("evaluate", tmp_path / "run", "--data", folders / "short")
    assert code == 2
    assert "task.window: got 16, but the trajectories of train in" in said


@pytest.mark.slow
def test_splits_of_another_step_are_not_learned_and_judged_together(experiment, folders, tmp_path):
    for split in ("validation", "test"):
        config = made(experiment, {split: {"step": 0.05}})
        generate(config, tmp_path / split, jobs=1)
    with pytest.raises(RunError, match=r"samples of train are 0\.1 apart, those of validation 0\.05"):
        train(config, tmp_path / "validation", tmp_path / "run")
    train(config, tmp_path / "test", tmp_path / "run")
    message = r"samples of train are 0\.1 apart, those of test 0\.05"
    with pytest.raises(RunError, match=message):
        evaluate(tmp_path / "run")
    with pytest.raises(RunError, match=message):
        evaluate_predictions(np.zeros((6, 41, 2)), tmp_path / "test", tmp_path / "out")
    # What is chosen by another step would be chosen wrongly.
    with pytest.raises(RunError, match="those of validation"):
        evaluate_predictions(np.zeros((6, 21, 2)), tmp_path / "validation", tmp_path / "out")
    code, said = command("evaluate", tmp_path / "run")
    assert (code, "apart" in said) == (2, True)


@pytest.mark.slow
def test_the_step_of_a_run_is_that_of_what_it_learned(experiment, tmp_path):
    config = made(
        experiment, {split: {"step": 0.05} for split in ("train", "validation")}, task={"window": 5}
    )
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    described, _ = load_trained(tmp_path / "run")
    assert described.step == pytest.approx(0.05, rel=1e-12)
    plain = made(experiment, {"validation": {}})
    generate(plain, tmp_path / "coarse", jobs=1)
    with pytest.raises(RunError, match=r"samples are 0\.1 apart, but the run was trained on 0\.05"):
        evaluate(tmp_path / "run", tmp_path / "coarse")


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [True, False])
def test_parameters_are_told_in_their_own_units(experiment, tmp_path, normalize):
    """As `evaluate` tells them, which takes another way; what is standardised is not for the user to know."""
    config = experiment(
        system={"name": "van-der-pol", "parameters": {"mu": {"uniform": [1.0, 9.0]}}},
        grid={"duration": 1.0, "step": 0.1},
        dataset={"train": 40, "validation": 5, "test": 6, "dtype": "float64"},
        task={"normalize": normalize, "parameters": ["mu"]},
        training={"steps": 30, "batch": 20, "dtype": "float64"},
        evaluation={"rollouts": 6, "rollout_lengths": 3},
    )
    run = tmp_path / "run"
    generate(config, tmp_path / "data", 1)
    train(config, tmp_path / "data", run)
    evaluate(run)
    judged = np.load(run / "evaluation.npz")
    mu = TrajectoryDataset(tmp_path / "data", "test").store.column("mu")[judged["rollout_row"]]
    starts = judged["rollout_true"][:, 0]
    trained, model = load_trained(run)
    normalizer = load_normalizer(trained)
    found = roll_out(model, normalizer, "initial-value", starts, 11, 3, parameters={"mu": mu})
    np.testing.assert_allclose(found, judged["rollout_predicted"], rtol=1e-10, atol=1e-10)
    one = roll_out(model, normalizer, "initial-value", starts[:2], 11, 3, parameters={"mu": mu[0]})
    np.testing.assert_allclose(one[0], found[0], rtol=1e-12)
    for given, said in (
        ({}, "told parameters, got none"),
        ({"parameters": {}}, "got none; expected parameters={'mu': ...}"),
        ({"parameters": {"mu": mu, "nu": 1.0}}, r"got \['mu', 'nu'\]"),
        ({"parameters": {"mu": mu[:2]}}, "one for each of the 6 rollouts"),
        ({"parameters": {"mu": "stiff"}}, "expected a number"),
        ({"parameters": {"mu": np.nan}}, "expected a number"),
        ({"parameters": {"mu": mu}, "channels": mu[:, None]}, "got channels"),
    ):
        with pytest.raises(DataError, match=said):
            roll_out(model, normalizer, "initial-value", starts, 11, 3, **given)
    if normalize:
        with pytest.raises(DataError, match="got channels; expected parameters="):
            roll_out(model, normalizer, "initial-value", starts, 11, 3, mu[:, None])
    else:
        same = roll_out(model, normalizer, "initial-value", starts, 11, 3, mu[:, None])
        np.testing.assert_array_equal(same, found)
