"""Sequence models from data to judgement: they learn, resume to the same weights, go on alone and can be refined."""

import json

import numpy as np
import pytest
import torch
from trajstore.data.tasks.registry import get_task
from trajstore.pipeline import evaluate, generate, load_config, load_trained, train
from trajstore.pipeline.judge.forecasters.stepping import SteppingNetwork
from trajstore.pipeline.judge.forecasters.trained import Trained
from trajstore.pipeline.runs.files import load_checkpoint

CONFIG = """
[system]
name = "lorenz"
[initial_states]
kind = "attractor"
transient = 5.0
[grid]
duration = 2.0
step = 0.02
[dataset]
train = 8
validation = 2
test = 4
dtype = "float64"
[task]
name = "forecast"
window = 21
stride = 10
normalize = true
[model]
name = "{name}"
hidden = 8
[training]
steps = {steps}
batch = 16
evaluate_every = 10
schedule = "constant"
[refinement]
steps = 2
samples = 8
batch = 32
[evaluation]
rollouts = 4
rollout_lengths = 3
warmup = 20
baselines = ["persistence"]
metrics = ["d_h"]
statistics_points = 100
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lorenz")
    (folder / "config.toml").write_text(CONFIG.format(name="gru", steps=1))
    generate(load_config(folder / "config.toml"), folder / "dataset", jobs=1)
    return folder / "dataset"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rhn", "lru", "mamba", "transformer"])
def test_a_run_learns_resumes_and_is_judged(name, dataset, tmp_path):
    def config(steps):
        path = tmp_path / f"{steps}.toml"
        path.write_text(CONFIG.format(name=name, steps=steps))
        return load_config(path)

    train(config(40), dataset, tmp_path / "whole")
    # Stopped before it was refined, where it was to take fewer steps.
    short = config(20).model_copy(update={"refinement": type(config(20).refinement)()})
    train(short, dataset, tmp_path / "run")
    train(config(40), dataset, tmp_path / "run", resume=True)
    weights = [load_checkpoint(tmp_path / run / "last.pt")["model"] for run in ("whole", "run")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    curve = [json.loads(line) for line in (tmp_path / "whole/metrics.jsonl").read_text().splitlines()]
    found = [row["validation_mse"] for row in curve if "validation_mse" in row]
    assert found[-1] < 0.7 * found[0]
    metrics = evaluate(tmp_path / "whole", dataset)
    rollout = metrics["rollout"]
    assert rollout["warmup"] == 20
    assert rollout["finite_share"] == 1.0
    assert 0 < rollout["d_h"] < 1
    assert rollout["vpt"] >= 0
    _, model = load_trained(tmp_path / "whole")
    trained = Trained(model.double(), get_task("forecast"), 20)
    history = np.random.default_rng(0).normal(size=(2, 5, 3))
    ahead = trained.go_on(history, 4, np.empty((2, 0)))
    stepping = SteppingNetwork(trained)
    carry = stepping.begin(history, np.empty((2, 0)))
    for step in range(1, 4):
        states, carry = stepping.advance(carry)
        np.testing.assert_allclose(states, ahead[:, step], rtol=0, atol=1e-10)


@pytest.mark.slow
def test_a_reservoir_learns_in_one_pass_and_goes_on(dataset, tmp_path):
    text = CONFIG.format(name="reservoir", steps=50).replace("hidden = 8", "units = 100\nwashout = 5")
    text = text.replace("[refinement]\nsteps = 2", "[refinement]\nsteps = 0")
    text = text.replace('schedule = "constant"', 'schedule = "constant"\ndtype = "float64"')
    (tmp_path / "config.toml").write_text(text)
    config = load_config(tmp_path / "config.toml")
    for run in ("run", "again"):
        train(config, dataset, tmp_path / run)
    assert json.loads((tmp_path / "run/training.json").read_text())["steps"] == 5
    # Asked for more than one pass before, or for less, and then for as much.
    for steps, lasts in ((3, 3), (20, 5)):
        run = tmp_path / f"{steps} steps first"
        shorter = config.training.model_copy(update={"steps": steps})
        train(config.model_copy(update={"training": shorter}), dataset, run)
        assert json.loads((run / "training.json").read_text())["steps"] == lasts
        train(config, dataset, run, resume=True)
    runs = [tmp_path / name for name in ("run", "again", "3 steps first", "20 steps first")]
    weights = [load_checkpoint(run / "best.pt")["model"] for run in runs]
    told = [json.loads((run / "training.json").read_text()) for run in runs]
    for other, said in zip(weights[1:], told[1:], strict=True):
        assert all(torch.equal(weights[0][key], other[key]) for key in other)
        assert said["best_step"] == 5
        assert said["validation_mse"] == told[0]["validation_mse"]
    rollout = evaluate(tmp_path / "run", dataset)["rollout"]
    assert rollout["vpt"] > 2 * rollout["baselines"]["persistence"]["vpt"]
