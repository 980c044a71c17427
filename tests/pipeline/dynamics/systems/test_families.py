"""One network for a family of systems: it is told the parameters of each row, and learns from them."""

import numpy as np
import pytest
import torch
from trajstore.data import DataError, Normalizer, TrajectoryDataset, make_loader
from trajstore.pipeline import evaluate, generate, load_trained, plot, train

pytestmark = pytest.mark.slow

FAMILY = {"name": "harmonic", "parameters": {"omega": {"uniform": [0.5, 3.0]}}}
LEARNING = {
    "model": {"hidden": 12, "encoder": [16]},
    "training": {"steps": 200, "batch": 32, "evaluate_every": 100},
    "evaluation": {"rollouts": 5, "rollout_lengths": 3},
}


@pytest.fixture(scope="module")
def family(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("family") / "dataset"
    generate(experiment(system=FAMILY, dataset={"train": 600, "test": 50, "shard_rows": 250}), folder, jobs=1)
    return folder


@pytest.mark.parametrize("task", ["initial-value", "forecast"])
@pytest.mark.parametrize("window", [None, 6])
def test_each_sample_carries_the_parameters_of_its_own_row(family, task, window):
    options = {"task": task, "window": window, "stride": 3}
    plain = TrajectoryDataset(family, "train", **options)
    told = TrajectoryDataset(family, "train", parameters=["omega"], **options)
    assert (told.input_size, plain.input_size) == (3, 2)
    omega = plain.store.column("omega")
    index = np.array([0, len(plain) - 1, 17, 17, len(plain) // 2])
    inputs, targets = told[index]
    expected, same = plain[index]
    assert torch.equal(inputs[..., :2], expected)
    assert torch.equal(targets, same)
    rows = index // plain.windows.per_row
    np.testing.assert_allclose(inputs[..., 2], np.tile(omega[rows, None], inputs.shape[1]), rtol=1e-7)
    for inputs, _ in make_loader(told, 100, shuffle=True, seed=0, workers=1):
        assert inputs.shape[2] == 3


def test_normalisation_is_that_of_the_train_split(family):
    omega = TrajectoryDataset(family, "train").store.column("omega")
    told = TrajectoryDataset(family, "test", parameters=["omega"], normalize=True)
    assert told.parameter_normalizer == Normalizer((omega.mean(),), (omega.std(),))
    channel = told[:][0][:, 0, 2].double().numpy()
    np.testing.assert_allclose(channel, (told.store.column("omega") - omega.mean()) / omega.std(), rtol=1e-5)


def test_any_index_will_do(family):
    told = TrajectoryDataset(family, "train", parameters=["omega"])
    assert torch.equal(told[np.arange(9)[::-1]][0], told[list(range(8, -1, -1))][0])
    assert told.sample_bytes == told[0][0].nbytes + told[0][1].nbytes
    with pytest.raises(DataError, match="each name once"):
        TrajectoryDataset(family, "train", parameters=["omega", "omega"])


def test_an_unknown_parameter_is_an_error(family):
    with pytest.raises(DataError, match="no parameter 'mu'; it has omega"):
        TrajectoryDataset(family, "train", parameters=["mu"])


@pytest.mark.parametrize(
    ("task", "normalize"), [("initial-value", True), ("initial-value", False), ("forecast", True)]
)
def test_a_network_that_is_told_knows_more(experiment, family, tmp_path, task, normalize):
    errors = {}
    for names in ([], ["omega"]):
        config = experiment(
            system=FAMILY, **LEARNING, task={"name": task, "normalize": normalize, "parameters": names}
        )
        run = tmp_path / f"run{len(names)}"
        train(config, family, run)
        errors[len(names)] = evaluate(run)["test"]["mse"]
        assert load_trained(run)[1].recurrence.input_size == 2 + len(names)
    assert plot(run)
    # A forecast also sees the past, and can guess omega from it.
    assert errors[1] < (0.5 if task == "initial-value" else 1.0) * errors[0]


def test_a_run_is_judged_on_another_dataset_with_its_own_parameters(experiment, family, tmp_path):
    config = experiment(system=FAMILY, **LEARNING, task={"parameters": ["omega"], "normalize": True})
    train(config, family, tmp_path / "run")
    own = evaluate(tmp_path / "run")["test"]["mse"]
    fast = {"name": "harmonic", "parameters": {"omega": 2.9}}
    generate(experiment(system=fast, dataset={"test": 50, "train": 5}), tmp_path / "fast", jobs=1)
    assert evaluate(tmp_path / "run", tmp_path / "fast")["test"]["mse"] < 30 * own
