"""Energy drift and largest Lyapunov exponent of each row, against what is known of them."""

import numpy as np
import pytest
from trajstore.data import verify
from trajstore.data.errors import TrajstoreError
from trajstore.data.shard import read_shard
from trajstore.pipeline.diagnostics import energy_drift, lyapunov_exponents
from trajstore.pipeline.engines import EngineSettings, make_engine
from trajstore.pipeline.generate import generate
from trajstore.pipeline.systems import System, get_system


def test_the_drift_of_a_row_is_the_largest_change_of_its_energy():
    system = get_system("mass-spring")
    states = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]], [[0.0, 2.0], [2.0, 0.0], [0.0, 2.0]]])
    drift = energy_drift(system, states, np.empty((2, 0)), np.arange(3.0))
    np.testing.assert_allclose(drift, [0.01, 0.0], atol=1e-15)


def test_a_damped_row_loses_the_energy_that_its_closed_form_says(experiment, tmp_path):
    system = {
        "name": "damped",
        "equations": {"x": "v", "v": "-x - 2*v"},
        "hamiltonian": "x**2/2 + v**2/2",
        "initial_state": {"x": [1.0, 2.0], "v": [0.0, 0.0]},
    }
    dataset = {"train": 5, "validation": 0, "test": 0, "diagnostics": ["energy_drift"]}
    generate(experiment(system=system, dataset=dataset), tmp_path / "dataset", jobs=1)
    shard = read_shard(tmp_path / "dataset/train-00000.h5")
    # x = x0 (1 + t) exp(-t), v = -x0 t exp(-t).
    left = np.exp(-4) * ((1 + 2) ** 2 + 2**2)
    np.testing.assert_allclose(shard.optional["energy_drift"], 1 - left, rtol=1e-12)


def test_linear_flows_have_the_exponent_of_their_largest_eigenvalue():
    saddle = System("saddle", {"x": "2*x", "y": "-y"}, {}, {"x": (-1.0, 1.0), "y": (-1.0, 1.0)})
    times, starts = np.linspace(0, 60, 61), np.array([[1e-30, 1.0], [0.0, 0.0]])
    states = make_engine(saddle, EngineSettings()).solve(starts, np.empty((2, 0)), times).states
    found = lyapunov_exponents(
        saddle, EngineSettings(), states, np.empty((2, 0)), times, 0, "train", np.arange(2)
    )
    # But for what the direction at the start gives, over the time.
    np.testing.assert_allclose(found, 2.0, atol=2 / 60)


def test_the_exponent_of_lorenz_is_the_published_one_on_average(experiment, tmp_path):
    config = experiment(
        system={"name": "lorenz", "parameters": {}},
        initial_states={"kind": "attractor", "transient": 20.0},
        grid={"duration": 200.0, "points": 2001, "step": None},
        dataset={
            "train": 24,
            "validation": 0,
            "test": 0,
            "dtype": "float64",
            "diagnostics": ["lyapunov_exponent"],
        },
    )
    generate(config, tmp_path / "dataset", jobs=2)
    assert verify(tmp_path / "dataset") == []
    exponents = read_shard(tmp_path / "dataset/train-00000.h5").optional["lyapunov_exponent"]
    # 0.9056, Sprott (2003), Chaos and Time-Series Analysis; here with a finite time and 24 rows.
    assert abs(exponents.mean() - 0.9056) < 3 * exponents.std(ddof=1) / np.sqrt(len(exponents)) + 0.01


def test_exponents_do_not_depend_on_the_neighbours():
    system = get_system("lorenz")
    times = np.linspace(0, 5, 51)
    rng = np.random.default_rng(1)
    starts, parameters = rng.uniform(-5, 5, (9, 3)), np.tile(system.defaults, (9, 1))
    states = make_engine(system, EngineSettings()).solve(starts, parameters, times).states
    states[4] = np.nan

    def measured(chosen):
        rows = np.arange(100, 109)[chosen]
        return lyapunov_exponents(
            system, EngineSettings(), states[chosen], parameters[chosen], times, 7, "test", rows
        )

    whole = measured(slice(None))
    assert np.isnan(whole[4])
    np.testing.assert_array_equal(whole, np.concatenate([measured([row]) for row in range(9)]))


@pytest.mark.parametrize(
    ("system", "name", "said"),
    [
        ({"name": "lorenz", "parameters": {}}, "energy_drift", "lorenz has none; give"),
        ({"name": "kuramoto-sivashinsky", "parameters": {}}, "lyapunov_exponent", "leave it out"),
        (
            {"name": "jumps", "equations": {"x": "-sign(x)"}, "initial_state": {"x": [0.0, 1.0]}},
            "lyapunov_exponent",
            "without jumps",
        ),
        ({"name": "lorenz", "parameters": {}}, "entropy", "dataset.diagnostics"),
    ],
)
def test_what_cannot_be_measured_is_one_error(experiment, system, name, said):
    with pytest.raises(TrajstoreError, match=said):
        experiment(
            system=system,
            dataset={"train": 5, "diagnostics": [name]},
        )
