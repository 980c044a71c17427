"""Training: learns, resumes bit for bit from anywhere, and says what it leaves out."""

import io
import json
import math
import os
import random
import signal
import sys
import time
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn
from trajstore.data import TrajectoryDataset, make_loader
from trajstore.models import Model
from trajstore.pipeline import RunError, load_trained, train
from trajstore.pipeline.judge.metrics.d_stsp import DStsp
from trajstore.pipeline.judge.metrics.metric import Context
from trajstore.pipeline.learn.first_order import FirstOrder, learning_rate
from trajstore.pipeline.learn.levenberg_marquardt import LevenbergMarquardt
from trajstore.pipeline.learn.selection import Selection
from trajstore.pipeline.learn.validation import mean_squared_error
from trajstore.pipeline.runs.curve import read_curve
from trajstore.pipeline.runs.files import load_checkpoint

LEARNING = {
    "model": {"hidden": 6, "encoder": [5]},
    "training": {"batch": 8, "steps": 24, "evaluate_every": 7, "learning_rate": 0.02, "clip": 1.0},
    "refinement": {"steps": 6, "samples": 16, "batch": 32, "evaluate_every": 4},
    "task": {"normalize": True},
}


# Its forcing is part of the checkpoint.
FORCED = {
    "model": {"name": "shplrnn", "hidden": 6, "units": 3},
    "training": {
        "batch": 8,
        "optimizer": "radam",
        "schedule": "exponential",
        "learner": {"name": "forced", "noise": 0.01},
    },
    "task": {"name": "forecast", "normalize": True},
}


def weights(path):
    return load_checkpoint(path)["model"]


def assert_same_weights(left, right):
    for file in ("last.pt", "best.pt"):
        one, other = weights(left / file), weights(right / file)
        assert one.keys() == other.keys()
        for name in one:
            assert torch.equal(one[name], other[name]), f"{file}: {name}"


def without_clock(run):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_curve(run)]


@pytest.fixture(scope="module")
def config(experiment):
    return experiment(**LEARNING)


@pytest.fixture(scope="module")
def whole(config, small_dataset, tmp_path_factory):
    """The run that is never stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    train(config, small_dataset, run)
    return run


@pytest.mark.slow
def test_a_run_keeps_all_that_was_promised(whole):
    rows = list(read_curve(whole))
    assert rows[-1]["step"] == 30
    assert [row["step"] for row in rows if "validation_mse" in row] == [7, 14, 21, 24, 28, 30]
    summary = json.loads((whole / "training.json").read_text())
    assert summary["steps"] == 30
    best = min(row["validation_mse"] for row in rows if "validation_mse" in row)
    assert summary["validation_mse"] == best


@pytest.mark.slow
def test_the_same_config_gives_the_same_weights_and_curve(config, whole, small_dataset, tmp_path):
    train(config, small_dataset, tmp_path / "run")
    assert_same_weights(whole, tmp_path / "run")
    assert without_clock(whole) == without_clock(tmp_path / "run")


@pytest.mark.slow
def test_another_seed_gives_other_weights(experiment, whole, small_dataset, tmp_path):
    other = experiment(**{**LEARNING, "training": {**LEARNING["training"], "seed": 1}})
    train(other, small_dataset, tmp_path / "run")
    assert not torch.equal(
        weights(whole / "last.pt")["readout.weight"], weights(tmp_path / "run/last.pt")["readout.weight"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("stops", [(1,), (7,), (3, 11, 24), (25, 29), (26,)])
def test_stopped_by_ctrl_c_at_any_step_and_resumed_is_bit_for_bit_the_same(
    stops, config, whole, small_dataset, tmp_path, monkeypatch
):
    """A real SIGINT to this process in the middle of a step; the step is ended and saved."""
    pending = list(stops)
    plain = FirstOrder.step, LevenbergMarquardt.step
    done = {"steps": 0}

    def interrupting(original, offset):
        def step(self, number, inputs, targets):
            if pending and number + offset + 1 == pending[0]:
                pending.pop(0)
                os.kill(os.getpid(), signal.SIGINT)
            done["steps"] += 1
            return original(self, number, inputs, targets)

        return step

    monkeypatch.setattr(FirstOrder, "step", interrupting(plain[0], 0))
    monkeypatch.setattr(LevenbergMarquardt, "step", interrupting(plain[1], 24))
    for _ in stops:
        with pytest.raises(KeyboardInterrupt):
            train(config, small_dataset, tmp_path / "run", resume=True)
    train(config, small_dataset, tmp_path / "run", resume=True)
    assert done["steps"] == 30, "nothing is done twice after Ctrl-C"
    assert_same_weights(whole, tmp_path / "run")
    assert without_clock(whole) == without_clock(tmp_path / "run")


SCRIPT = """
import sys
from pathlib import Path
from trajstore.pipeline import check_config
from trajstore.pipeline import train
import json
train(check_config(json.loads(sys.argv[1]), "test"), Path(sys.argv[2]), Path(sys.argv[3]), resume=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("learning", [LEARNING, FORCED], ids=["refined", "forced"])
def test_killed_at_random_times_and_resumed_is_bit_for_bit_the_same(
    learning, experiment, small_dataset, tmp_path
):
    """SIGKILL to a real process, whose checkpoints are then all that is left."""
    long = experiment(
        **{**learning, "training": {**learning["training"], "steps": 300, "evaluate_every": 10}}
    )
    train(long, small_dataset, tmp_path / "whole")
    run = tmp_path / "killed"
    command = [sys.executable, "-c", SCRIPT, json.dumps(long.model_dump()), str(small_dataset), str(run)]
    curve = run / "metrics.jsonl"
    generator = random.Random(0)
    kills = 0
    for _ in range(2):
        # Until it trains: most of its time is that of imports.
        had = len(curve.read_bytes()) if kills else 0
        process = forked.Popen(command)
        before = time.monotonic()
        while process.poll() is None and not (curve.exists() and len(curve.read_bytes()) > had):
            time.sleep(0.01)
            assert time.monotonic() - before < 60
        time.sleep(generator.uniform(0.0, 0.25))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 1
    train(long, small_dataset, run, resume=True)
    assert_same_weights(tmp_path / "whole", run)
    alphas = [load_checkpoint(path / "last.pt")["learner"].get("alpha") for path in (tmp_path / "whole", run)]
    assert alphas[0] == alphas[1]
    assert without_clock(tmp_path / "whole") == without_clock(run)
    assert not list(run.glob("*.part"))


@pytest.mark.slow
def test_training_learns_more_than_the_linear_predictor_knows(experiment, small_dataset, tmp_path):
    learned = experiment(
        model={"hidden": 12, "encoder": [16]},
        training={"batch": 32, "steps": 300, "learning_rate": 0.02, "evaluate_every": 100},
    )
    now = train(learned, small_dataset, tmp_path / "run")
    assert now.best_validation < 0.4
    _, model = load_trained(tmp_path / "run")
    validation = TrajectoryDataset(small_dataset, "validation")
    with torch.no_grad():
        own = np.mean([((model(x[None]) - y) ** 2).mean() for x, y in (validation[i] for i in range(20))])
    assert own == pytest.approx(now.best_validation, rel=1e-5), "best.pt is the model of the best validation"


def test_validation_error_is_in_raw_units_whatever_the_normalisation(small_dataset):
    class Zero(Model):
        def forward(self, inputs):
            return torch.zeros_like(inputs)

    dataset = TrajectoryDataset(small_dataset, "validation", normalize=True)
    raw = TrajectoryDataset(small_dataset, "validation").states(range(20)).double()
    mean = torch.tensor(dataset.normalizer.mean, dtype=torch.float64)
    expected = ((raw - mean) ** 2).mean().item()  # zero, in raw units, is the mean
    assert mean_squared_error(Zero(), dataset, torch.device("cpu")) == pytest.approx(expected, rel=1e-5)


def test_the_tutorials_loop_written_out_gives_the_same_losses(experiment, small_dataset, tmp_path):
    """An independent loop in plain torch: same batches, same initial weights, plain SGD."""
    plain = experiment(
        model={"hidden": 5},
        training={
            "optimizer": "sgd",
            "learning_rate": 0.05,
            "schedule": "constant",
            "batch": 10,
            "steps": 20,
        },
    )
    train(plain, small_dataset, tmp_path / "run")
    torch.manual_seed(0)
    lstm, linear = nn.LSTM(2, 5, batch_first=True), nn.Linear(5, 2)
    parameters = [*lstm.parameters(), *linear.parameters()]
    dataset = TrajectoryDataset(small_dataset, "train")
    batches = make_loader(dataset, 10, shuffle=True, seed=0, drop_last=True).steps()
    smoothed = None
    for _ in range(20):
        inputs, targets = next(batches)
        loss = ((linear(lstm(inputs)[0]) - targets) ** 2).mean()
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= 0.05 * gradient
        smoothed = loss.item() if smoothed is None else 0.9 * smoothed + 0.1 * loss.item()
    last = list(read_curve(tmp_path / "run"))[-1]
    assert last["smoothed_loss"] == pytest.approx(smoothed, rel=1e-5)


BLOCKS = {"shuffle": "block", "block_bytes": 700, "buffer_bytes": 8_000}


@pytest.mark.slow
def test_a_shuffle_in_blocks_trains_and_resumes_bit_for_bit(
    experiment, config, whole, small_dataset, tmp_path, monkeypatch
):
    in_blocks = experiment(**{**LEARNING, "training": {**LEARNING["training"], **BLOCKS}})
    train(in_blocks, small_dataset, tmp_path / "whole")
    assert not torch.equal(
        weights(whole / "last.pt")["readout.weight"], weights(tmp_path / "whole/last.pt")["readout.weight"]
    )
    plain, pending = FirstOrder.step, [10]

    def interrupting(self, number, inputs, targets):
        if pending == [number]:
            pending.clear()
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, number, inputs, targets)

    monkeypatch.setattr(FirstOrder, "step", interrupting)
    with pytest.raises(KeyboardInterrupt):
        train(in_blocks, small_dataset, tmp_path / "run")
    with pytest.raises(RunError, match="another config"):
        train(config, small_dataset, tmp_path / "run", resume=True)
    train(in_blocks, small_dataset, tmp_path / "run", resume=True)
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


def test_runs_that_were_made_before_the_shuffle_could_be_chosen_are_the_same_runs(config, experiment, whole):
    assert "shuffle" not in config.learning()["training"]
    assert "shuffle" not in json.loads((whole / "config.json").read_text())["config"]["training"]
    other = experiment(**{**LEARNING, "training": {**LEARNING["training"], "buffer_bytes": 1 << 20}})
    assert other.learning() == config.learning(), "a full shuffle has no buffer"
    in_blocks = experiment(**{**LEARNING, "training": {**LEARNING["training"], **BLOCKS}})
    assert in_blocks.learning()["training"] == {**config.learning()["training"], **BLOCKS}


def test_failed_rows_are_left_out_and_said(experiment, failing_dataset, tmp_path):
    output = io.StringIO()
    config = experiment(
        system={"name": "blow-up", "equations": {"x": "x**2"}, "initial_state": {"x": [-1.0, 1.0]}},
        training={"batch": 4, "steps": 5},
    )
    now = train(config, failing_dataset, tmp_path / "run", console=Console(file=output, width=200))
    failed = TrajectoryDataset(failing_dataset, "train").failed
    assert failed > 0
    assert f"train: {failed} of 40 trajectories failed to integrate and are left out" in output.getvalue()
    assert math.isfinite(now.smoothed)


def test_early_stopping_ends_a_phase_that_no_longer_gains(experiment, small_dataset, tmp_path):
    stuck = experiment(
        training={
            "optimizer": "sgd",
            "learning_rate": 1e-30,
            "steps": 1000,
            "batch": 8,
            "evaluate_every": 2,
            "patience": 3,
        }
    )
    now = train(stuck, small_dataset, tmp_path / "run")
    assert now.step == 8, "one evaluation that is the best so far, and three that are no better"
    assert now.best_step == 2


def test_a_loss_that_is_not_finite_is_an_error_that_says_how_to_mend_it(experiment, small_dataset, tmp_path):
    wild = experiment(training={"optimizer": "sgd", "learning_rate": 1e30, "steps": 50, "batch": 8})
    with pytest.raises(RunError, match=r"loss is .* lower training.learning_rate"):
        train(wild, small_dataset, tmp_path / "run")


def test_a_dataset_without_validation_trains_and_keeps_the_last_weights(experiment, tmp_path):
    from trajstore.pipeline import generate

    config = experiment(dataset={"validation": 0}, training={"steps": 12, "batch": 8, "evaluate_every": 5})
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    assert torch.equal(
        weights(tmp_path / "run/best.pt")["readout.bias"], weights(tmp_path / "run/last.pt")["readout.bias"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("task", ["initial-value", "forecast"])
@pytest.mark.parametrize("model", ["lstm", "gru"])
def test_every_task_trains_every_model_on_windows(task, model, experiment, small_dataset, tmp_path):
    config = experiment(
        task={"name": task, "window": 8, "stride": 4},
        model={"name": model, "hidden": 4, "layers": 2},
        training={"steps": 6, "batch": 16},
        refinement={"steps": 2, "samples": 8, "batch": 16},
    )
    assert math.isfinite(train(config, small_dataset, tmp_path / "run").best_validation)


def test_the_cosine_schedule_warms_up_and_ends_at_zero(experiment):
    settings = experiment(training={"steps": 110, "warmup": 10, "learning_rate": 1.0}).training
    rates = [learning_rate(settings, step) for step in range(110)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:], 0.5 * (1 + np.cos(np.pi * np.arange(100) / 100)))


def test_the_first_order_learner_is_torchs_adam(experiment):
    settings = experiment(training={"learning_rate": 0.1, "schedule": "constant"}).training
    inputs = torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(0))
    models = []
    for own in (True, False):
        torch.manual_seed(0)
        model = nn.Linear(2, 2)
        models.append(model)
        learner = FirstOrder(model, settings)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        for number in range(5):
            if own:
                learner.step(number, inputs, inputs)
            else:
                optimizer.zero_grad()
                ((model(inputs) - inputs) ** 2).mean().backward()
                optimizer.step()
    torch.testing.assert_close(models[0].weight, models[1].weight)


def test_one_checkpoint_file_is_enough_to_run_the_model(whole, tmp_path):
    alone = tmp_path / "shared.pt"
    alone.write_bytes((whole / "best.pt").read_bytes())
    config, model = load_trained(alone)
    _, same = load_trained(whole)
    inputs = torch.randn(2, 21, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(inputs), same(inputs))
    assert config.normalizer is not None


def test_a_run_reads_back_where_its_datasets_engine_is_not_installed(whole, monkeypatch):
    from trajstore.pipeline.dynamics.engines import settings

    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    assert load_trained(whole)[0].config["engine"]["name"] == "heyoka"


@pytest.mark.slow
def test_every_seed_that_the_config_allows_trains(experiment, small_dataset, tmp_path):
    largest = experiment(
        training={"steps": 2, "batch": 8, "seed": 2**63 - 1},
        refinement={"steps": 2, "samples": 4, "batch": 8},
    )
    assert math.isfinite(train(largest, small_dataset, tmp_path / "run").best_validation)


def test_patience_without_validation_is_an_error(experiment, tmp_path):
    from trajstore.pipeline import generate

    config = experiment(dataset={"validation": 0}, training={"patience": 3})
    generate(config, tmp_path / "data", jobs=1)
    with pytest.raises(RunError, match=r"training.patience: needs validation"):
        train(config, tmp_path / "data", tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("left", [[], ["config.json.99.part"], ["config.json"]])
def test_a_folder_left_by_a_kill_before_the_first_checkpoint_is_gone_on_with(
    left, config, whole, small_dataset, tmp_path
):
    run = tmp_path / "run"
    run.mkdir()
    for name in left:
        (run / name).write_bytes((whole / "config.json").read_bytes())
    train(config, small_dataset, run, resume=True)
    assert_same_weights(whole, run)


def test_a_checkpoint_of_something_else_is_an_error_of_resume(config, whole, small_dataset, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_bytes((whole / "config.json").read_bytes())
    for content in ({"model": {}}, {"model": {}, "learner": {}, "standing": {"step": 3}}, {"a": 1}):
        torch.save(content, run / "last.pt")
        with pytest.raises(RunError, match=r"last.pt: is no checkpoint of this run"):
            train(config, small_dataset, run, resume=True)


def test_the_runs_folder_is_moved_with_its_dataset(whole, small_dataset):
    kept = json.loads((whole / "config.json").read_text())["dataset"]
    assert (whole / kept["relative"]).resolve() == Path(small_dataset).resolve()


@pytest.mark.slow
def test_the_best_weights_are_those_of_the_metric_that_is_named(experiment, small_dataset, tmp_path):
    config = experiment(
        training={"steps": 40, "batch": 16, "evaluate_every": 8, "select": "vpt", "schedule": "constant"},
        evaluation={"rollouts": 8, "rollout_lengths": 3},
    )
    now = train(config, small_dataset, tmp_path / "run")
    said = [line["selected"] for line in read_curve(tmp_path / "run") if "selected" in line]
    assert len(said) == 5
    assert now.best_selected == max(said)
    assert now.best_step == 8 * (1 + said.index(max(said)))
    summary = json.loads((tmp_path / "run/training.json").read_text())
    assert summary["selected"] == now.best_selected


@pytest.mark.parametrize("values", [[math.nan] * 4, [math.nan, math.nan, 2.0, math.nan]])
def test_as_long_as_the_metric_has_no_value_the_error_decides(
    values, experiment, small_dataset, tmp_path, monkeypatch
):
    """And not the weights that the training began with, for want of better ones."""
    given = iter(values)
    monkeypatch.setattr(Selection, "value", lambda self: next(given))
    training = {"steps": 8, "batch": 16, "evaluate_every": 2, "select": "vpt", "schedule": "constant"}
    now = train(experiment(training=training), small_dataset, tmp_path / "run")
    errors = {line["step"]: line["validation_mse"] for line in read_curve(tmp_path / "run")}
    assert now.best_step == (min(errors, key=errors.get) if math.isnan(values[2]) else 6)
    assert load_checkpoint(tmp_path / "run/best.pt")["step"] == now.best_step > 0


def test_a_metric_that_such_data_have_not_is_refused_before_anything_is_thrown_away(
    experiment, small_dataset, tmp_path
):
    train(experiment(training={"steps": 4, "batch": 8}), small_dataset, tmp_path / "run")
    bad = experiment(training={"steps": 4, "batch": 8, "select": "energy_mse"})
    with pytest.raises(
        RunError, match=r"training.select: got 'energy_mse', of which there is no .*vpt, vpt_04"
    ):
        train(bad, small_dataset, tmp_path / "run", overwrite=True)
    assert (tmp_path / "run/training.json").is_file()


def test_by_a_density_in_many_dimensions_nothing_is_chosen():
    for size, there in ((6, True), (7, False)):
        names = tuple(f"x{number}" for number in range(size))
        assert bool(DStsp.selectable(Context(names, np.ones(size), np.arange(3.0)))) == there


def test_a_metric_that_is_none_is_refused_before_anything_is_thrown_away(experiment, small_dataset, tmp_path):
    good = experiment(training={"steps": 4, "batch": 8})
    train(good, small_dataset, tmp_path / "run")
    bad = experiment(training={"steps": 4, "batch": 8, "select": "vtp"})
    with pytest.raises(RunError, match=r"training.select: got 'vtp', expected one of .*nrmse, .*vpt, vpt_04"):
        train(bad, small_dataset, tmp_path / "run", overwrite=True)
    assert (tmp_path / "run/training.json").is_file()
