"""Energy drift and largest Lyapunov exponent of each row, against what is known of them."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from trajstore.data import FormatError, TrajstoreError, read_shard, verify, write_shard
from trajstore.pipeline import (
    EngineSettings,
    Selection,
    System,
    generate,
    get_system,
    make_engine,
    reintegrate,
    select,
)
from trajstore.pipeline.dynamics.diagnostics import energy_drift, lyapunov_exponents

pytestmark = pytest.mark.slow


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


def test_exponents_of_any_size_come_out_from_few_points(experiment, tmp_path):
    # At rest: the tangent vector alone grows or shrinks, by a factor of 10 ** 868 from point to point.
    for rate in (1000.0, -1000.0):
        system = {"name": "line", "equations": {"x": f"{rate}*x"}, "initial_state": {"x": [0.0, 0.0]}}
        dataset = {"train": 2, "validation": 0, "test": 0, "diagnostics": ["lyapunov_exponent"]}
        grid = {"duration": 10.0, "points": 6}
        folder = tmp_path / f"{rate}"
        generate(experiment(system=system, dataset=dataset, grid=grid), folder, jobs=1)
        found = read_shard(folder / "train-00000.h5").optional["lyapunov_exponent"]
        np.testing.assert_allclose(found, rate, rtol=1e-9)


SPRING = {
    "name": "spring",
    "equations": {"x": "v", "v": "-x"},
    "hamiltonian": "v**2/2 + x**2/2",
    "initial_state": {"x": [-1.0, 1.0], "v": [-1.0, 1.0]},
}
# Systems of which some rows stay finite, and have no energy, or no tangent vector, at some time.
UNMEASURABLE = {
    "energy_drift": {**SPRING, "hamiltonian": "v**2/2 + x**2/2 + sqrt(x + 1)"},
    # Half of the rows are at k = 0, where the slope of the root is infinite.
    "lyapunov_exponent": {
        "name": "root",
        "equations": {"x": "0", "y": "sqrt(abs(x - k)) - y"},
        "parameters": {"k": {"values": [0.0, 1.0]}},
        "initial_state": {"x": [0.0, 0.0], "y": [0.0, 1.0]},
    },
}


@pytest.mark.parametrize("name", UNMEASURABLE)
def test_a_row_of_which_a_diagnostic_cannot_be_measured_has_failed(experiment, tmp_path, name):
    dataset = {"train": 20, "validation": 0, "test": 0, "dtype": "float64", "diagnostics": [name]}
    config = experiment(system=UNMEASURABLE[name], dataset=dataset, grid={"duration": 1.5, "points": 41})
    generate(config, tmp_path / "dataset", jobs=1)
    shard = read_shard(tmp_path / "dataset/train-00000.h5")
    failed = shard.status != 0
    assert 0 < failed.sum() < 20
    assert (shard.status[failed] == 3).all()
    assert (np.isnan(shard.state).all(axis=(1, 2)) == failed).all()
    assert (np.isnan(shard.optional[name]) == failed).all()
    if name == "energy_drift":
        # x(t) from -1 to 1 has a root of x + 1, but for rows that swing further.
        swings = np.hypot(*shard.initial_state.T) > 1
        assert (failed <= swings).all()
    assert verify(tmp_path / "dataset") == []
    assert reintegrate(tmp_path / "dataset", 20).problems == []
    # Without diagnostics these rows are as sound as others.
    generate(experiment(system=UNMEASURABLE[name], dataset={"train": 20, "validation": 0, "test": 0}),
             tmp_path / "plain", jobs=1)  # fmt: skip
    assert (read_shard(tmp_path / "plain/train-00000.h5").status == 0).all()


DAMPED = {**SPRING, "name": "damped", "equations": {"x": "v", "v": "-x - v/4"}}


@pytest.fixture(scope="module")
def drifting(experiment, tmp_path_factory):
    """Folders of springs with and without damping, with the drift of each row."""
    folders = {}
    for system in (SPRING, DAMPED):
        name = system["name"]
        folders[name] = tmp_path_factory.mktemp(name) / "dataset"
        dataset = {"train": 20, "validation": 0, "test": 0, "diagnostics": ["energy_drift"]}
        config = experiment(system=system, dataset=dataset, grid={"duration": 6.0, "points": 61})
        generate(config, folders[name], jobs=1)
        assert reintegrate(folders[name], 20).problems == []
    return folders


@pytest.mark.parametrize(
    ("name", "change"), [("spring", 1e-4), ("spring", np.inf), ("damped", 1e-4), ("damped", -1e-4)]
)
def test_a_drift_that_is_not_that_of_the_states_is_found(drifting, forge, tmp_path, name, change):
    folder = shutil.copytree(drifting[name], tmp_path / "dataset")
    drift = read_shard(folder / "train-00000.h5").optional["energy_drift"].copy()
    drift[7] += change
    forge(folder, "train-00000.h5", optional={"energy_drift": drift})
    assert verify(folder) == []
    (found,) = reintegrate(folder, 20).problems
    assert found.startswith("train-00000.h5: row 7: energy_drift is ")


def test_the_drift_of_a_chaotic_row_is_measured_from_stored_state_to_stored_state(
    experiment, forge, tmp_path
):
    folder = tmp_path / "dataset"
    dataset = {"train": 4, "validation": 0, "test": 0, "dtype": "float64", "diagnostics": ["energy_drift"]}
    system = {"name": "double-pendulum", "parameters": {}}
    generate(
        experiment(system=system, dataset=dataset, grid={"duration": 12.0, "points": 61}), folder, jobs=1
    )
    assert reintegrate(folder, 4).problems == []
    drift = read_shard(folder / "train-00000.h5").optional["energy_drift"].copy()
    drift[2] += 1e-4
    forge(folder, "train-00000.h5", optional={"energy_drift": drift})
    (found,) = reintegrate(folder, 4).problems
    assert "row 2: energy_drift" in found


def test_where_times_were_cut_off_a_drift_may_be_larger_and_not_smaller(drifting, forge, tmp_path):
    folder = tmp_path / "part"
    select(drifting["damped"], folder, Selection(time=(1.0, 3.0), stride=2))
    assert verify(folder) == []
    assert reintegrate(folder, 20).problems == []
    drift = read_shard(folder / "train-00000.h5").optional["energy_drift"].copy()
    drift[3] += 0.01
    drift[7] /= 2
    forge(
        folder,
        "train-00000.h5",
        optional={**read_shard(folder / "train-00000.h5").optional, "energy_drift": drift},
    )
    (found,) = reintegrate(folder, 20).problems
    assert "row 7: energy_drift" in found
    assert "measured again at least" in found


@pytest.mark.parametrize("name", ["energy_drift", "lyapunov_exponent"])
def test_a_sound_row_declared_failed_is_found_though_diagnostics_might_have_failed(
    experiment, forge, tmp_path, name
):
    folder = tmp_path / "dataset"
    dataset = {"train": 12, "validation": 0, "test": 0, "diagnostics": [name]}
    generate(experiment(system=SPRING, dataset=dataset), folder, jobs=1)
    shard = read_shard(folder / "train-00000.h5")
    for values in (shard.state, shard.status, shard.optional[name]):
        values[5] = 3 if values is shard.status else np.nan
    forge(folder, "train-00000.h5", state=shard.state, status=shard.status, optional=shard.optional)
    assert verify(folder) == []
    (found,) = reintegrate(folder, 12).problems
    assert "row 5: is stored as failed, but does not fail" in found


def test_diagnostics_that_the_stored_equations_cannot_have_are_one_error(small_dataset, tmp_path):
    shard = read_shard(small_dataset / "train-00000.h5")
    optional = {"energy_drift": np.zeros(len(shard.status))}
    write_shard(tmp_path / "train-00000.h5", replace(shard, optional=optional))
    with pytest.raises(FormatError, match=r"train-00000\.h5: dataset\.diagnostics: .* has none"):
        reintegrate(tmp_path / "train-00000.h5", 2)


def test_a_diagnostic_is_asked_for_once(experiment):
    with pytest.raises(TrajstoreError, match="expected each once"):
        experiment(system=SPRING, dataset={"train": 5, "diagnostics": ["energy_drift", "energy_drift"]})


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
        (
            {**SPRING, "hamiltonian": "v**2/2 + x**2/2 - x*cos(t)"},
            "energy_drift",
            "needs an energy that does not depend on time",
        ),
    ],
)
def test_what_cannot_be_measured_is_one_error(experiment, system, name, said):
    with pytest.raises(TrajstoreError, match=said):
        experiment(
            system=system,
            dataset={"train": 5, "diagnostics": [name]},
        )
