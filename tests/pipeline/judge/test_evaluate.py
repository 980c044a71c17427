"""Evaluation: metrics against plain NumPy, trivial predictors against closed forms, rollouts against the truth."""

import json
from math import comb

import numpy as np
import pytest
import torch
from trajstore.data import DataError, Normalizer, TrajectoryDataset
from trajstore.models import RecurrentModel, make_model
from trajstore.pipeline import (
    EngineSettings,
    RunError,
    System,
    evaluate,
    generate,
    get_system,
    load_trained,
    make_engine,
    plot,
    roll_out,
    train,
)
from trajstore.pipeline.judge.forecasters import first_state
from trajstore.pipeline.judge.forecasters.first_state import make_baselines, monomials
from trajstore.pipeline.judge.metrics.cycle import limit_cycle
from trajstore.pipeline.judge.metrics.limit_cycle import LimitCycle
from trajstore.pipeline.judge.metrics.metric import Batch, Context, results
from trajstore.pipeline.judge.metrics.valid_time import ValidTime
from trajstore.pipeline.runs.samples import load_normalizer

FAST = {
    "model": {"hidden": 6, "encoder": [6]},
    "training": {"batch": 16, "steps": 40, "evaluate_every": 20},
    "evaluation": {"rollouts": 4, "rollout_lengths": 12},
}


@pytest.fixture(scope="module", params=[False, True], ids=["raw", "normalized"])
def run(request, experiment, small_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    train(experiment(**FAST, task={"normalize": request.param}), small_dataset, folder)
    return folder


@pytest.mark.slow
def test_metrics_are_those_of_a_loop_over_single_trajectories(run, small_dataset):
    metrics = evaluate(run)
    assert json.loads((run / "metrics.json").read_text()) == metrics
    config, model = load_trained(run)
    normalizer = load_normalizer(config)
    dataset = TrajectoryDataset(small_dataset, "test")
    train_states = TrajectoryDataset(small_dataset, "train").states(range(70)).double().numpy()
    std = train_states.std(axis=(0, 1))
    squared = []
    for index in range(len(dataset)):
        states = dataset.states([index])
        first = states[:, 0] if normalizer is None else normalizer.apply(states[:, 0])
        hidden, outputs, given = None, [], first
        for _ in range(21):
            output, hidden = model.step(given, hidden)
            outputs.append(output if normalizer is None else normalizer.invert(output))
            given = torch.zeros_like(first)
        squared.append((torch.stack(outputs, 1) - states)[0].detach().double().numpy() ** 2)
    squared = np.array(squared)
    assert metrics["test"]["mse"] == pytest.approx(squared.mean(), rel=1e-5)
    np.testing.assert_allclose(metrics["test"]["mse_by_time"], squared.mean((0, 2)), rtol=1e-4)
    assert metrics["test"]["nrmse"] == pytest.approx(np.sqrt((squared / std**2).mean()), rel=1e-4)
    truth = np.array([dataset.states([index])[0].numpy() for index in range(len(dataset))], dtype=float)
    assert metrics["baselines"]["zero"]["mse"] == pytest.approx((truth**2).mean())
    assert metrics["baselines"]["persistence"]["mse"] == pytest.approx(((truth - truth[:, :1]) ** 2).mean())


@pytest.mark.slow
def test_the_figures_arrays_are_what_the_metrics_say(run):
    metrics = evaluate(run)
    with np.load(run / "evaluation.npz") as arrays:
        assert arrays["time"].shape == (21,)
        assert (np.diff(arrays["error_quantiles"], axis=0) >= 0).all()
        assert arrays["rollout_true"].shape == arrays["rollout_predicted"].shape == (4, 12 * 20 + 1, 2)
        np.testing.assert_allclose(arrays["rollout_true"][:, 0], arrays["rollout_predicted"][:, 0], atol=1e-5)
    assert metrics["rollout"]["amplitude"]["true"] == pytest.approx(2.0001, abs=1e-4)
    assert metrics["rollout"]["period"]["true"] == pytest.approx(6.2871, abs=1e-4)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("degree", [1, 3, 5])
def test_monomials_are_all_of_them_once(dimension, degree):
    values = np.random.default_rng(0).uniform(0.5, 2.0, (400, dimension))
    features = monomials(values, degree)
    assert features.shape == (400, comb(dimension + degree, degree))
    assert np.linalg.matrix_rank(features) == features.shape[1]
    np.testing.assert_allclose(features[:, 0], 1.0)
    np.testing.assert_allclose(features.max(axis=1), np.maximum(1.0, values.max(axis=1)) ** degree)


def test_a_polynomial_flow_is_predicted_exactly_by_the_polynomial_of_its_degree():
    generator = np.random.default_rng(0)
    first = generator.uniform(-2, 2, (300, 2))
    cubic = np.stack([first[:, 0] * first[:, 1] ** 2 - 1, first[:, 1] ** 3], axis=-1)[:, None]
    errors = {
        name: np.abs(predict(first) - cubic).max()
        for name, predict in make_baselines(first, cubic, np.zeros(1)).items()
    }
    assert errors["cubic"] < 1e-10
    assert errors["quintic"] < 1e-9
    assert errors["linear"] > 1.0


def test_a_polynomial_foretells_many_states_as_it_does_a_few(monkeypatch):
    first = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    cubic = make_baselines(first, np.stack([first**3, first], axis=1), np.zeros(2))["cubic"]
    whole = cubic(first)
    monkeypatch.setattr(first_state, "TERMS_AT_ONCE", 100)
    np.testing.assert_allclose(cubic(first), whole, rtol=1e-13)


@pytest.mark.slow
def test_the_harmonic_oscillator_is_predicted_exactly_by_rotation(experiment, tmp_path):
    system = {
        "name": "harmonic",
        "equations": {"x": "v", "v": "-x"},
        "initial_state": {"x": [-1.0, 1.0], "v": [-1.0, 1.0]},
    }
    config = experiment(system=system, dataset={"dtype": "float64"}, **FAST)
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    baselines = evaluate(tmp_path / "run")["baselines"]
    assert baselines["rotation"]["mse"] < 1e-13
    assert baselines["linear"]["mse"] < 1e-13, "a linear flow is linear in x(0)"
    assert baselines["persistence"]["mse"] > 0.01


class Exact(RecurrentModel):
    """A model that knows the flow: rotation by one sampling interval a step."""

    def __init__(self, step):
        torch.nn.Module.__init__(self)
        self.rotation = torch.tensor([[np.cos(step), -np.sin(step)], [np.sin(step), np.cos(step)]])

    def forward(self, inputs):
        outputs = [inputs[:, 0]]
        for _ in range(inputs.shape[1] - 1):
            outputs.append(outputs[-1] @ self.rotation.to(inputs))
        return torch.stack(outputs, 1)

    def step(self, inputs, hidden=None):
        return inputs @ self.rotation.to(inputs), ()


@pytest.mark.parametrize("task", ["initial-value", "forecast"])
def test_a_model_that_knows_the_flow_rolls_out_the_truth(task):
    starts = np.array([[1.0, 0.0], [0.3, -0.8]])
    predicted = roll_out(Exact(0.1), None, task, starts, window=21, lengths=5)
    times = 0.1 * np.arange(101)
    truth = np.stack(
        [
            np.stack([x * np.cos(times) + v * np.sin(times), v * np.cos(times) - x * np.sin(times)], -1)
            for x, v in starts
        ]
    )
    assert predicted.shape == truth.shape
    np.testing.assert_allclose(predicted, truth, atol=2e-5)


def test_rollouts_are_normalised_and_back():
    normalizer = Normalizer(mean=(1.0, -2.0), std=(3.0, 0.5))

    class Still(Exact):
        def forward(self, inputs):
            return inputs[:, :1].expand_as(inputs)

    starts = np.array([[4.0, 1.0]])
    predicted = roll_out(Still(0.1), normalizer, "initial-value", starts, window=5, lengths=3)
    np.testing.assert_allclose(predicted, np.broadcast_to(starts, (1, 13, 2)), rtol=1e-6)


def test_rollouts_take_lists_and_whole_numbers():
    lists = roll_out(Exact(0.1), None, "forecast", [[1, 0], [0, 1]], window=5, lengths=2)
    arrays = roll_out(Exact(0.1), None, "forecast", np.eye(2), window=np.int64(5), lengths=2)
    np.testing.assert_array_equal(lists, arrays)


@pytest.mark.parametrize("task", ["initial-value", "forecast"])
def test_a_model_computes_in_the_type_of_its_weights(task):
    torch.manual_seed(0)
    model = make_model("lstm", 2, 2, hidden=4).double()
    start, still = torch.tensor([[0.1, -0.7]], dtype=torch.float64), torch.zeros(1, 3, 2, dtype=torch.float64)
    with torch.no_grad():
        if task == "forecast":
            first, hidden = model.step(start, None)
            expected = torch.stack([start, first, model.step(first, hidden)[0]], dim=1)
        else:
            still[:, 0] = start
            expected = torch.cat([start[:, None], model(still)[:, 1:]], dim=1)
    predicted = roll_out(model, None, task, [[0.1, -0.7]], window=3, lengths=1)
    np.testing.assert_allclose(predicted, expected.numpy(), rtol=1e-13)
    normalizer = Normalizer(mean=(1.0, -2.0), std=(3.0, 0.5))
    moved = roll_out(model, normalizer, task, normalizer.invert(start), 3, 1)
    np.testing.assert_allclose(normalizer.apply(moved).numpy(), expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize("task", ["forecasting", "Forecast", "initial_value", "", None, 3, ["forecast"]])
def test_a_task_that_is_none_is_refused_and_those_that_are_are_listed(task):
    with pytest.raises(DataError, match="initial-value, forecast"):
        roll_out(Exact(0.1), None, task, [[1.0, 0.0]], window=5, lengths=2)


@pytest.mark.parametrize(
    ("starts", "channels", "said"),
    [
        ([1.0, 0.0], None, "starts is .*two dimensions"),
        ([["a", "b"]], None, "starts is .*two dimensions"),
        ([[1.0, 0.0, 2.0]], None, "starts of 3 components and 0 channels; expected 2 and 1"),
        ([[1.0, 0.0]], None, "expected 2 and 1"),
        ([[1.0, 0.0]], [[1.0], [2.0]], "channels have 2 rows, starts have 1"),
        ([[1.0, 0.0]], [0.1], "channels is .*two dimensions"),
    ],
)
def test_starts_and_channels_that_do_not_fit_the_model_are_refused(starts, channels, said):
    model = make_model("lstm", 3, 2, hidden=4)
    with pytest.raises(DataError, match=said):
        roll_out(model, None, "initial-value", starts, 5, 2, channels)
    with pytest.raises(DataError, match="normalizer is True; expected a Normalizer"):
        roll_out(model, True, "initial-value", [[1, 0]], 5, 2, [[0.1]])
    assert roll_out(model, None, "initial-value", [[1, 0]], 5, 2, [[0.1]]).shape == (1, 9, 2)


def judged_by(kind, times, true, predicted, cycle=None):
    metric = kind(Context(("x", "v"), np.ones(2), times, cycle=cycle))
    # In batches, which must not be seen in the result.
    for rows in (slice(0, 1), slice(1, None)):
        metric.add(Batch(np.asarray(true)[rows], np.asarray(predicted)[rows]))
    return results([metric])


def test_the_valid_prediction_time_is_when_the_error_first_passes_the_bound():
    times = np.linspace(0.0, 20.0, 201)
    true = np.stack([np.cos(times), -np.sin(times)], -1)[None].repeat(3, 0)
    predicted = true.copy()
    predicted[0, 50:] += 10.0
    predicted[1, 120:] += 10.0
    judged = judged_by(ValidTime, times, true, predicted)
    assert judged["valid_prediction_time"] == {"median": times[120], "minimum": times[50]}
    assert judged["vpt"] == times[120]


def test_a_perfect_model_has_no_error_of_amplitude_and_period():
    engine = make_engine(get_system("van-der-pol"), EngineSettings())
    times = np.linspace(0.0, 100.0, 1001)
    starts, parameters = np.array([[4.0, 1.0], [0.3, 0.0], [-2.0, 3.0]]), np.full((3, 1), 0.1)
    true = engine.solve(starts, parameters, times).states
    cycle = limit_cycle(engine, starts, parameters, times[-1], 0.01)
    judged = judged_by(LimitCycle, times, true, true, cycle)
    for what in ("amplitude", "period"):
        assert judged[what]["largest_relative_error"] == 0.0
        assert judged[what]["predicted"] == pytest.approx(judged[what]["true"], rel=0.01)
    stretched = judged_by(LimitCycle, times, true, np.array(true) * 1.02, cycle)
    assert stretched["amplitude"]["relative_error"] == pytest.approx(0.02)


def test_a_conservative_system_has_no_limit_cycle():
    system = System("harmonic", {"x": "v", "v": "-x"}, {}, {"x": (-1, 1), "v": (-1, 1)})
    engine = make_engine(system, EngineSettings())
    times = np.linspace(0.0, 50.0, 501)
    starts, parameters = np.array([[1.0, 0.0], [0.2, 0.0]]), np.empty((2, 0))
    true = engine.solve(starts, parameters, times).states
    cycle = limit_cycle(engine, starts, parameters, times[-1], 0.01)
    assert judged_by(LimitCycle, times, true, true, cycle)["amplitude"] is None


@pytest.mark.slow
def test_a_dataset_of_another_grid_is_refused_and_of_another_system_is_judged_by_its_own(
    experiment, small_dataset, tmp_path
):
    train(experiment(**FAST), small_dataset, tmp_path / "run")
    generate(experiment(grid={"step": 0.2}), tmp_path / "coarse", jobs=1)
    with pytest.raises(RunError, match=r"0.2 apart, but the run was trained on 0.1"):
        evaluate(tmp_path / "run", tmp_path / "coarse")
    generate(experiment(system={"parameters": {"mu": 1.0}}), tmp_path / "strong", jobs=1)
    judged = evaluate(tmp_path / "run", tmp_path / "strong")
    assert judged["rollout"]["period"]["true"] == pytest.approx(6.6633, abs=1e-4), "that of mu = 1"


@pytest.mark.slow
def test_a_component_that_never_varies_breaks_nothing(experiment, tmp_path):
    system = {
        "name": "relaxation",
        "equations": {"x": "-k*x", "k": "0"},
        "initial_state": {"x": [-1.0, 1.0], "k": [0.1, 0.1]},
    }
    config = experiment(system=system, dataset={"dtype": "float64"}, task={"normalize": True}, **FAST)
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    assert evaluate(tmp_path / "run")["test"]["nrmse"] < 10
    assert len(plot(tmp_path / "run")) == 6


@pytest.mark.slow
def test_a_system_without_a_limit_cycle_has_none(experiment, tmp_path):
    system = {
        "name": "decay",
        "equations": {"x": "-x", "y": "-2*y"},
        "initial_state": {"x": [-1.0, 1.0], "y": [-1.0, 1.0]},
    }
    config = experiment(system=system, **FAST)
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    metrics = evaluate(tmp_path / "run")
    assert metrics["rollout"]["amplitude"] is None
    assert metrics["rollout"]["period"] is None


@pytest.mark.slow
def test_forecasts_and_windows_are_evaluated_too(experiment, small_dataset, tmp_path):
    config = experiment(**FAST, task={"name": "forecast", "window": 6, "stride": 5, "normalize": True})
    train(config, small_dataset, tmp_path / "run")
    metrics = evaluate(tmp_path / "run")
    assert len(metrics["test"]["mse_by_time"]) == 5
    assert metrics["test"]["windows"] == 10 * 4
    truth = TrajectoryDataset(small_dataset, "test", "forecast", window=6, stride=5)
    inputs, targets = truth[np.arange(len(truth))]
    assert metrics["baselines"]["persistence"]["mse"] == pytest.approx(
        ((inputs - targets) ** 2).mean().item()
    )
    assert metrics["baselines"]["cubic"]["mse"] < 1e-4


def test_a_test_split_that_is_empty_is_an_error(experiment, failing_dataset, tmp_path):
    config = experiment(
        system={"name": "blow-up", "equations": {"x": "x**2"}, "initial_state": {"x": [-1.0, 1.0]}},
        training={"batch": 4, "steps": 2},
    )
    train(config, failing_dataset, tmp_path / "run")
    with pytest.raises(RunError, match="has no test trajectories"):
        evaluate(tmp_path / "run")
