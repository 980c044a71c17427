"""The error on the train split: in raw units, of all that was learned from, and of nothing else."""

import numpy as np
import pytest
import torch
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import check_config, evaluate, generate, load_trained, train

CONFIG = {
    "system": {"name": "van-der-pol"},
    "grid": {"duration": 2.0, "step": 0.1},
    "dataset": {"train": 9, "validation": 2, "test": 3, "dtype": "float64"},
    "task": {"name": "forecast", "window": 6, "stride": 3, "normalize": True},
    "model": {"name": "lstm", "hidden": 4},
    "training": {"steps": 8, "batch": 16, "evaluate_every": 4, "dtype": "float64"},
    "evaluation": {"rollouts": 2, "rollout_lengths": 1, "baselines": []},
}


@pytest.mark.slow
def test_it_is_the_mean_square_over_the_train_split(tmp_path):
    config = check_config(CONFIG, "test")
    generate(config, tmp_path / "data", 1)
    train(config, tmp_path / "data", tmp_path / "run")
    found = evaluate(tmp_path / "run")["train"]
    run, model = load_trained(tmp_path / "run")
    mean, std = (torch.tensor(run.normalizer[key], dtype=torch.float64) for key in ("mean", "std"))
    states = TrajectoryDataset(tmp_path / "data", "train", dtype="float64").states(slice(None))
    windows = torch.cat([states[:, first : first + 6] for first in range(0, 16, 3)])
    with torch.no_grad():
        predicted = mean + std * model((windows[:, :-1] - mean) / std)
    assert found["windows"] == len(windows) == 9 * 6
    expected = np.square((predicted - windows[:, 1:]).numpy()).mean()
    assert found["mse"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_of_a_dataset_that_was_not_learned_from_nothing_is_said(tmp_path):
    config = check_config(CONFIG, "test")
    other = check_config({**CONFIG, "dataset": {**CONFIG["dataset"], "seed": 1}}, "test")
    for name, each in (("data", config), ("other", other)):
        generate(each, tmp_path / name, 1)
    train(config, tmp_path / "data", tmp_path / "run")
    assert evaluate(tmp_path / "run", tmp_path / "other")["train"] == {}
