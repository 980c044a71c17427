"""Predictions from outside: judged like a network's, against plain NumPy, and refused where they do not fit."""

import json
import warnings

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import (
    RunError,
    evaluate,
    evaluate_predictions,
    generate,
    load_normalizer,
    load_trained,
    plot,
    train,
)
from trajstore.pipeline.cli.main import main

FAST = {
    "model": {"hidden": 6, "encoder": [6]},
    "training": {"batch": 16, "steps": 40, "evaluate_every": 20},
}


@pytest.fixture(scope="module")
def states(small_dataset):
    """(10, 21, 2) of the test split."""
    return TrajectoryDataset(small_dataset, "test", dtype=torch.float64).states(slice(None)).numpy()


@pytest.mark.slow
def test_a_networks_own_predictions_are_judged_as_it_is(experiment, small_dataset, states, tmp_path):
    train(experiment(**FAST, task={"normalize": True}), small_dataset, tmp_path / "run")
    expected = evaluate(tmp_path / "run")
    config, model = load_trained(tmp_path / "run")
    normalizer = load_normalizer(config)
    assert normalizer is not None
    test = TrajectoryDataset(small_dataset, "test", normalize=normalizer)
    with torch.no_grad():
        predictions = normalizer.invert(model(test[:][0])).double().numpy()
    found = evaluate_predictions(predictions, small_dataset, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == found
    assert found["test"]["windows"] == found["test"]["finite"] == 10
    for key in ("mse", "nrmse", "mse_by_time", "mse_by_component"):
        assert found["test"][key] == pytest.approx(expected["test"][key], rel=1e-5)
    assert found["baselines"].keys() == expected["baselines"].keys()
    for name, baseline in expected["baselines"].items():
        assert found["baselines"][name]["mse"] == pytest.approx(baseline["mse"], rel=1e-4, abs=1e-12)
    assert found["rollout"]["baselines"].keys() == expected["rollout"]["baselines"].keys()


@pytest.mark.slow
@settings(max_examples=15)
@given(data=st.data())
def test_errors_are_those_of_plain_numpy(small_dataset, states, tmp_path_factory, data):
    length = data.draw(st.integers(1, 21))
    count = data.draw(st.integers(1, 12))
    rows = np.array(data.draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)))
    first = np.array(data.draw(st.lists(st.integers(0, 21 - length), min_size=count, max_size=count)))
    true = np.stack([states[row, at : at + length] for row, at in zip(rows, first, strict=True)])
    noise = np.random.default_rng(count).normal(size=true.shape)
    folder = tmp_path_factory.mktemp("predictions")
    found = evaluate_predictions(true + noise, small_dataset, folder / "out", rows=rows, first=first)
    np.testing.assert_allclose(found["test"]["mse_by_time"], np.square(noise).mean(axis=(0, 2)), rtol=1e-9)
    given_before = first.min() > 0
    begin = np.stack([states[row, at - given_before] for row, at in zip(rows, first, strict=True)])
    missed = np.square(begin[:, None] - true).mean()
    assert found["baselines"]["persistence"]["mse"] == pytest.approx(missed, rel=1e-9)
    if length + given_before > 1:
        assert found["rollout"]["trajectories"] == count
        assert found["rollout"]["duration"] == pytest.approx(0.1 * (length - 1 + given_before))
    else:
        assert found["rollout"] is None


@pytest.mark.slow
def test_a_rollout_is_valid_until_it_leaves_the_truth(small_dataset, states, tmp_path):
    # The second point of one, and the tenth of the others, are ten deviations off.
    predictions = states[:, 5:18].copy()
    far = 10 * states.std(axis=(0, 1))
    predictions[0, 1] += far
    predictions[1:, 9] += far
    rollout = evaluate_predictions(predictions, small_dataset, tmp_path, first=5)["rollout"]
    # From the point before the first.
    assert rollout["valid_prediction_time"]["minimum"] == pytest.approx(0.2)
    assert rollout["vpt"] == pytest.approx(1.0)
    assert rollout["finite"] == 10
    assert rollout["baselines"]["polynomial"]["vpt"] == pytest.approx(1.3)


@pytest.mark.slow
def test_what_is_not_finite_is_counted_and_left_out(small_dataset, states, tmp_path):
    predictions = states + 0.5
    predictions[2, 7:] = np.nan
    predictions[5, 0, 1] = np.inf
    np.savez(tmp_path / "some.npz", predictions=predictions)
    out = tmp_path / "out"
    arguments = ["evaluate", "--predictions", str(tmp_path / "some.npz"), "--data", str(small_dataset)]
    result = CliRunner().invoke(main, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "2 of 10 predictions are not finite, and left out of the errors" in result.output
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test"]["finite"] == metrics["rollout"]["finite"] == 8
    assert metrics["test"]["mse"] == pytest.approx(0.25)
    figures = sorted(path.name for path in (out / "figures").iterdir())
    assert figures == ["error.png", "flow.png", "growth.png", "predictors.png", "rollout.png"]
    as_json = CliRunner().invoke(main, [*arguments, "--out", str(out), "--json"])
    assert json.loads(as_json.stdout) == metrics


@pytest.mark.slow
def test_predictions_without_an_error_are_drawn_as_well(small_dataset, states, tmp_path):
    evaluate_predictions(states, small_dataset, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(plot(tmp_path)) == 5


@pytest.mark.slow
def test_failed_rows_are_neither_asked_for_nor_judged(experiment, tmp_path):
    blows_up = {
        "name": "blow-up",
        "equations": {"x": "x*abs(x)"},
        "initial_state": {"x": [-2.0, 2.0]},
    }
    generate(experiment(system=blows_up, dataset={"test": 30}), tmp_path / "data", jobs=1)
    test = TrajectoryDataset(tmp_path / "data", "test")
    assert 0 < test.failed < 30
    sound = test.stored_rows(np.arange(len(test)))
    right = test.states(slice(None)).numpy()
    every = np.full((30, *right.shape[1:]), 7.0)
    every[sound] = right
    for predictions, left_out in ((every, test.failed), (right, 0)):
        found = evaluate_predictions(predictions, tmp_path / "data", tmp_path / "out", overwrite=True)
        assert found["test"]["mse"] == 0.0
        assert found["test"]["left_out"] == left_out
        assert found["test"]["windows"] == len(sound)
    failed = np.setdiff1d(np.arange(30), sound)
    with pytest.raises(RunError, match=r"all \d+ predictions are of rows whose integration failed"):
        evaluate_predictions(every[failed], tmp_path / "data", tmp_path / "other", rows=failed)


@pytest.mark.slow
def test_measured_rows_are_judged_against_themselves(make_shard, write_dataset, tmp_path):
    shards = {split: [make_shard(3, 200, split=split)] for split in ("train", "validation", "test")}
    folder = write_dataset(tmp_path / "measured", shards)
    stored = TrajectoryDataset(folder, "test", dtype=torch.float64).states(slice(None)).numpy()
    found = evaluate_predictions(stored[:, 50:90], folder, tmp_path / "out", first=50)
    assert found["test"]["mse"] == 0.0
    assert found["rollout"]["vpt"] == found["rollout"]["duration"]


REFUSED = {
    "few": ({"predictions": (9, 21, 2)}, ["(9, 21, 2)", "(10, T, 2)", "rows of the shape (9,)"]),
    "components": ({"predictions": (10, 21, 3)}, ["(10, 21, 3)", "(N, T, 2)", "x1, x2"]),
    "long": ({"predictions": (10, 22, 2)}, ["(10, 22, 2)", "1 to 21"]),
    "flat": ({"predictions": (21, 2)}, ["(21, 2)", "(N, T, 2)"]),
    "none": ({"predictions": (0, 21, 2)}, ["(0, 21, 2)"]),
    "first missing": ({"predictions": (10, 20, 2)}, ["20 of the 21 points", "first"]),
    "first beyond": ({"predictions": (10, 20, 2), "first": [2] * 10}, ["0 to 1"]),
    "first of others": ({"predictions": (10, 20, 2), "first": [1] * 9}, ["(9,)", "(10,)"]),
    "rows of others": ({"predictions": (3, 21, 2), "rows": [0, 1]}, ["(2,)", "(3,)"]),
    "rows beyond": ({"predictions": (2, 21, 2), "rows": [0, 10]}, ["rows has 10", "0 to 9"]),
    "rows below": ({"predictions": (2, 21, 2), "rows": [-1, 0]}, ["rows has -1"]),
    "rows between": ({"predictions": (2, 21, 2), "rows": [0.5, 1.0]}, ["whole numbers"]),
    "rows nowhere": ({"predictions": (2, 21, 2), "rows": [np.nan, 1.0]}, ["whole numbers"]),
    "names": ({"forecast": (10, 21, 2)}, ["'forecast'", "'predictions'"]),
    "more names": ({"predictions": (10, 21, 2), "row": [1] * 10}, ["'row'", "'rows'"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_shapes_and_names_end_with_2_and_both_shapes(case, small_dataset, tmp_path):
    arrays, said = REFUSED[case]
    filled = {k: np.zeros(v) if isinstance(v, tuple) else np.array(v) for k, v in arrays.items()}
    np.savez(tmp_path / "file.npz", **filled)
    arguments = ["--predictions", str(tmp_path / "file.npz"), "--data", str(small_dataset)]
    result = CliRunner().invoke(main, ["evaluate", *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "file.npz" in result.output
    for text in said:
        assert text in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "values", [np.array([[[None, 1]]]), np.zeros((10, 21, 2), complex), np.zeros((10, 21, 2), bool)]
)
def test_other_types_are_refused(values, small_dataset, tmp_path):
    np.savez(tmp_path / "file.npz", predictions=values)
    with pytest.raises(RunError, match=f"type {values.dtype}; expected real numbers"):
        evaluate_predictions(tmp_path / "file.npz", small_dataset, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + 18 * b"\0", b"\x93NUMPY"])
def test_other_files_are_refused(content, small_dataset, tmp_path):
    (tmp_path / "file.npz").write_bytes(content)
    with pytest.raises(RunError, match=r"file\.npz: (is no \.npz file|holds nothing)"):
        evaluate_predictions(tmp_path / "file.npz", small_dataset, tmp_path / "out")


@pytest.mark.slow
def test_damaged_files_are_refused(small_dataset, states, tmp_path):
    np.savez_compressed(tmp_path / "file.npz", predictions=states)
    whole, said = (tmp_path / "file.npz").read_bytes(), []
    for place in range(0, len(whole), 61):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "file.npz").write_bytes(damaged)
        try:
            found = evaluate_predictions(tmp_path / "file.npz", small_dataset, tmp_path / "out")
        except RunError as error:
            said.append(str(error))
        else:
            # What is damaged is no array's.
            assert found["test"]["mse"] == 0.0
    assert len(said) > 20
    assert all(text.startswith(f"{tmp_path / 'file.npz'}: ") for text in said)


@pytest.mark.slow
def test_results_are_told_apart_from_runs_and_from_each_other(experiment, small_dataset, states, tmp_path):
    out, run = tmp_path / "out", tmp_path / "run"
    evaluate_predictions(states + 1, small_dataset, out)
    evaluate_predictions(states + 1, small_dataset, out)
    with pytest.raises(RunError, match="other predictions; throw it away with --overwrite"):
        evaluate_predictions(states + 2, small_dataset, out)
    evaluate_predictions(states + 2, small_dataset, out, overwrite=True)
    with pytest.raises(RunError, match="and no network"):
        evaluate(out)
    config = experiment(**FAST)
    for options in ({}, {"resume": True}):
        with pytest.raises(RunError, match="holds a run of another config"):
            train(config, small_dataset, out, **options)
    train(config, small_dataset, run)
    with pytest.raises(RunError, match="holds a run"):
        evaluate_predictions(states, small_dataset, run)
    with pytest.raises(RunError, match="holds a dataset"):
        evaluate_predictions(states, small_dataset, small_dataset)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run", "--predictions", "a.npz", "--data", "d", "--out", "o"],
        ["--predictions", "a.npz", "--data", "d"],
        ["--predictions", "a.npz", "--out", "o"],
        ["--out", "o"],
        ["--overwrite"],
    ],
)
def test_the_command_says_what_goes_together(arguments):
    result = CliRunner().invoke(main, ["evaluate", *arguments])
    assert result.exit_code == 2
    assert "--predictions" in result.output


def test_only_what_out_holds_can_be_overwritten():
    result = CliRunner().invoke(main, ["evaluate", "run", "--overwrite"])
    assert result.exit_code == 2
    assert "--overwrite throws away what --out DIR holds" in result.output


@pytest.mark.slow
def test_chaos_does_not_part_right_predictions_from_their_own_rows(experiment, tmp_path):
    # Integrated anew by another engine, such rows are lost after some 35 Lyapunov times.
    config = experiment(
        system={"name": "lorenz", "parameters": {}},
        grid={"duration": 80.0, "points": 1601, "step": None},
        dataset={"train": 3, "validation": 1, "test": 2, "dtype": "float64"},
        engine={"name": "scipy"},
    )
    generate(config, tmp_path / "data", jobs=1)
    states = TrajectoryDataset(tmp_path / "data", "test", dtype=torch.float64).states(slice(None)).numpy()
    found = evaluate_predictions(states[:, 1400:], tmp_path / "data", tmp_path / "out", first=1400)
    assert found["rollout"]["vpt"] == found["rollout"]["duration"]
    assert found["rollout"]["nrmse"] == 0.0
