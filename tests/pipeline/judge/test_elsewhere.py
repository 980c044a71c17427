"""A run judged on another dataset than the one trained on: beside baselines that know no more than the run does."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import (
    RunError,
    Selection,
    evaluate,
    evaluate_predictions,
    generate,
    plot,
    select,
    train,
)
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_labels import run_title

FAST = {
    "model": {"hidden": 4, "encoder": [4]},
    "training": {"batch": 8, "steps": 2, "evaluate_every": 2},
    "evaluation": {"rollouts": 2, "rollout_lengths": 2, "baselines": ["linear", "persistence"]},
    "dataset": {"train": 20, "validation": 5, "test": 6, "shard_rows": 32},
}
DAMPED = {
    "name": "damped",
    "equations": {"x": "v", "v": "-x - c*v"},
    "initial_state": {"x": [-1.0, 1.0], "v": [-1.0, 1.0]},
}


def damped(experiment, low, high, **more):
    return experiment(system={**DAMPED, "parameters": {"c": {"uniform": [low, high]}}}, **FAST, **more)


@pytest.fixture
def places(experiment, tmp_path):
    """A run of weak damping, and a dataset of strong one, also without its train split."""
    generate(damped(experiment, 0.0, 0.1), tmp_path / "weak", jobs=1)
    generate(damped(experiment, 2.0, 3.0), tmp_path / "strong", jobs=1)
    train(damped(experiment, 0.0, 0.1), tmp_path / "weak", tmp_path / "run")
    select(tmp_path / "strong", tmp_path / "tested", Selection(splits=("test",)))
    return tmp_path


def run_command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_baselines_are_of_what_the_run_was_trained_on_whatever_is_judged(places):
    """Beside the train split of strong damping, and without one, the same comes out: that of weak damping."""
    whole = evaluate(places / "run", places / "strong")
    bare = evaluate(places / "run", places / "tested")
    for found in (whole, bare):
        assert found["another_dataset"]["baselines_fitted_on"] == found["another_dataset"]["trained_on"]
        assert set(found["rollout"]["baselines"]) == {"linear", "persistence"}
    assert whole["baselines"] == bare["baselines"] != {}
    assert whole["test"]["mse"] == bare["test"]["mse"]
    # What has seen strong damping is far better at it.
    shutil.rmtree(places / "weak")
    seen = evaluate(places / "run", places / "strong")
    assert seen["another_dataset"]["baselines_fitted_on"] == seen["dataset"]["id"]
    assert seen["baselines"]["linear"]["mse"] < 0.1 * whole["baselines"]["linear"]["mse"]


@pytest.mark.slow
def test_what_baselines_are_fitted_on_is_told_and_that_the_runs_metrics_are_others_now(places):
    there = run_command("evaluate", places / "run", "--data", places / "tested")
    assert "baselines are fitted on the train split that the run was trained on" in there.stdout
    assert "another dataset than the one trained on: damped" in there.stdout
    assert "with --out DIR it stays as it was" in there.stderr
    shutil.move(places / "weak", places / "gone")
    fallen_back = run_command("evaluate", places / "run", "--data", places / "strong")
    assert "what it was trained on is not at" in fallen_back.stderr
    assert "its own train split, which the run has not seen" in fallen_back.stdout
    bare = run_command("evaluate", places / "run", "--data", places / "tested")
    assert bare.exit_code == 0, bare.stderr
    assert "nothing else is there that baselines could be fitted on; they are left out" in bare.stderr
    assert "baselines are left out" in bare.stdout
    metrics = json.loads((places / "run/metrics.json").read_text())
    assert metrics["baselines"] == metrics["rollout"]["baselines"] == {}
    assert metrics["another_dataset"]["baselines_fitted_on"] is None
    assert plot(places / "run"), "without baselines, too"


@pytest.mark.slow
def test_the_runs_own_dataset_by_any_path_is_no_other_one(places):
    own = evaluate(places / "run")
    shutil.copytree(places / "weak", places / "copy")
    assert evaluate(places / "run", places / "copy") == own
    assert "another_dataset" not in own


@pytest.mark.slow
def test_a_dataset_in_the_place_of_what_was_trained_on_is_not_taken_for_it(places):
    shutil.rmtree(places / "weak")
    shutil.copytree(places / "strong", places / "weak")
    found = run_command("evaluate", places / "run", "--data", places / "strong")
    assert "is not what" in found.stderr
    assert "its own train split" in found.stdout


@pytest.mark.slow
def test_results_go_to_a_folder_of_their_own(places):
    evaluate(places / "run")
    before = (places / "run/metrics.json").read_bytes()
    out = places / "judged"
    found = run_command("evaluate", places / "run", "--data", places / "strong", "--out", out)
    assert found.exit_code == 0, found.stderr
    assert "tells of" not in found.stderr
    assert (places / "run/metrics.json").read_bytes() == before
    assert json.loads((out / "metrics.json").read_text())["dataset"]["system"] == "damped"
    assert {"evaluation.npz", "config.json"} <= {path.name for path in out.iterdir()}
    assert plot(out)
    assert run_command("compare", places / "run", out).exit_code == 0
    # Of another dataset it is something else, and asks first.
    with pytest.raises(RunError, match="--overwrite"):
        evaluate(places / "run", out=out)
    evaluate(places / "run", out=out, overwrite=True)
    assert "another_dataset" not in json.loads((out / "metrics.json").read_text())
    with pytest.raises(RunError, match="is the run's own folder"):
        evaluate(places / "run", out=places / "run/", overwrite=True)


@pytest.mark.slow
def test_predictions_of_a_dataset_without_a_train_split_are_judged_too(places):
    found = evaluate_predictions(np.zeros((6, 21, 2)), places / "tested", places / "zero")
    assert found["baselines"] == {}
    assert found["test"]["nrmse"] > 0


def test_what_evaluate_lacks_is_named(tmp_path):
    assert "got no RUN; expected the folder of a run" in run_command("evaluate", "--out", tmp_path).stderr
    overwritten = run_command("evaluate", tmp_path, "--overwrite").stderr
    assert "--overwrite throws away what --out DIR holds" in overwritten


@pytest.mark.slow
def test_figures_tell_the_parameters_of_what_is_judged(experiment, places):
    """Of a split with its own values, of a part of a dataset, and of another dataset; a training's those of train."""
    config = experiment(
        system={
            **DAMPED,
            "parameters": {"c": {"uniform": [0.0, 0.1]}},
            "parameters_by_split": {"test": {"c": 0.3}},
        },
        **FAST,
    )
    generate(config, places / "held", jobs=1)
    train(config, places / "held", places / "own")
    evaluate(places / "own")
    results = load_results(places / "own")
    assert run_title(results) == "damped, $c$ = 0.3"
    assert run_title(results, learned=True) == "damped, $c$ in [0, 0.1]"
    evaluate(places / "own", places / "strong")
    results = load_results(places / "own")
    assert run_title(results) == "damped, $c$ in [2, 3]"
    assert run_title(results, learned=True) == "damped, $c$ in [0, 0.1]"
    select(places / "strong", places / "part", Selection(where={"c": (2.1, 2.9)}))
    low, high = np.sort(TrajectoryDataset(places / "part", "test").store.column("c"))[[0, -1]]
    evaluate(places / "own", places / "part")
    assert run_title(load_results(places / "own")) == f"damped, $c$ in [{low:g}, {high:g}]"
