"""What is stored of trajectories: some components, noise, clean states, slopes; and what verify makes of it."""

import csv

import h5py
import numpy as np
import pytest
import xarray
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from trajstore.data import TrajectoryDataset, TrajstoreError, read_shard, verify, write_shard
from trajstore.pipeline import Selection, export, generate, get_system, reintegrate, select
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.config.observation import Noise, Observation

pytestmark = pytest.mark.slow

ROWS = {"train": 60, "validation": 10, "test": 10, "shard_rows": 16, "dtype": "float64"}
SPRING = {
    "name": "spring",
    "equations": {"x": "v", "v": "-k*x"},
    "parameters": {"k": {"uniform": [1.0, 4.0]}},
    "initial_state": {"x": [-1.0, 1.0], "v": [-1.0, 1.0]},
}


@pytest.fixture(scope="module")
def make(experiment, tmp_path_factory):
    """`make(observation, **sections)` generates a dataset with this [observation] section; its folder."""

    def make(observation, jobs=1, **sections):
        folder = tmp_path_factory.mktemp("observed") / "dataset"
        sections = {"system": SPRING, "dataset": ROWS, **sections}
        generate(experiment(observation=observation, **sections), folder, jobs=jobs)
        return folder

    return make


def test_the_clean_state_beside_noise_is_the_state_without_noise(make):
    plain = read_shard(make({}) / "train-00001.h5")
    noisy = read_shard(make({"noise": {"absolute": 0.3}, "clean": True}) / "train-00001.h5")
    np.testing.assert_array_equal(noisy.optional["clean_state"], plain.state)
    np.testing.assert_array_equal(noisy.initial_state, plain.initial_state)
    assert np.abs(noisy.state - plain.state).min() > 0


def test_noise_is_normal_independent_and_of_the_size_that_was_asked(make):
    folder = make({"noise": {"absolute": {"x": 0.5, "v": 2.0}}, "clean": True})
    shards = [read_shard(path) for path in sorted(folder.glob("train-*.h5"))]
    noise = np.concatenate([shard.state - shard.optional["clean_state"] for shard in shards]) / [0.5, 2.0]
    assert stats.kstest(noise.reshape(-1), "norm").pvalue > 1e-3
    flat = noise.reshape(len(noise), -1)
    # Neither along a row, nor from row to row, nor from component to component.
    for one, other in ((flat[:, :-1], flat[:, 1:]), (flat[:-1], flat[1:]), (noise[..., 0], noise[..., 1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)


def test_relative_noise_is_in_parts_of_each_components_own_spread(make):
    folder = make(
        {"noise": {"relative": 0.1}, "clean": True}, grid={"duration": 30.0, "points": 3001, "step": None}
    )
    shard = read_shard(folder / "train-00000.h5")
    clean = shard.optional["clean_state"]
    found = (shard.state - clean).std(axis=1) / clean.std(axis=1)
    np.testing.assert_allclose(found, 0.1, rtol=0.06)


def test_noise_of_a_step_is_in_parts_of_what_a_component_changes_by(make):
    folder = make(
        {"noise": {"step": 0.1}, "clean": True}, grid={"duration": 30.0, "points": 3001, "step": None}
    )
    shard = read_shard(folder / "train-00000.h5")
    clean = shard.optional["clean_state"].astype(float)
    found = (shard.state - clean).std(axis=1) / np.sqrt(np.square(np.diff(clean, axis=1)).mean(axis=1))
    np.testing.assert_allclose(found, 0.1, rtol=0.06)


@given(
    first=st.integers(0, 2**40), cut=st.integers(1, 6), kind=st.sampled_from(["relative", "absolute", "step"])
)
def test_noise_of_a_row_depends_on_its_number_alone(first, cut, kind):
    system = get_system("lorenz")
    states = np.random.default_rng(0).normal(size=(7, 33, 3))
    rows, times = np.arange(first, first + 7), np.linspace(0, 1, 33)
    noise = Noise(**{kind: 0.2})
    seen = Observation(noise=noise, derivative=True)

    def observed(chosen):
        got = seen.observe(
            system, 3, "test", rows[chosen], states[chosen], np.tile(system.defaults, (7, 1))[chosen], times
        )
        return got.state, got.beside["derivative"]

    whole = observed(slice(None))
    parts = [observed(slice(None, cut)), observed(slice(cut, None))]
    for index in (0, 1):
        np.testing.assert_array_equal(whole[index], np.concatenate([part[index] for part in parts]))


def test_same_bytes_whatever_the_jobs_and_the_shards_that_were_there(make, experiment):
    observation = {"components": ["v"], "noise": {"relative": 0.1}, "clean": True, "derivative": True}
    one, two = make(observation), make(observation, jobs=2)
    for path in sorted(one.iterdir()):
        assert path.read_bytes() == (two / path.name).read_bytes()
    (two / "train-00002.h5").unlink()
    generate(experiment(system=SPRING, dataset=ROWS, observation=observation), two)
    assert (one / "train-00002.h5").read_bytes() == (two / "train-00002.h5").read_bytes()


def test_slopes_are_those_of_the_closed_form(make):
    shard = read_shard(make({"derivative": True, "noise": {"absolute": 1.0}}) / "train-00000.h5")
    omega = np.sqrt(shard.parameters["k"])[:, None]
    x, v = (shard.initial_state[:, column, None] for column in (0, 1))
    cos, sin = np.cos(omega * shard.time), np.sin(omega * shard.time)
    slope_of_x = v * cos - omega * x * sin
    slope_of_v = -(omega**2) * x * cos - omega * v * sin
    np.testing.assert_allclose(
        shard.optional["derivative"], np.stack([slope_of_x, slope_of_v], axis=-1), atol=1e-13
    )


def test_slopes_of_a_driven_system_are_those_at_its_time(make):
    driven = {
        "name": "driven",
        "equations": {"x": "cos(2*t)"},
        "parameters": {},
        "initial_state": {"x": [-1.0, 1.0]},
    }
    shard = read_shard(make({"derivative": True}, system=driven) / "train-00000.h5")
    expected = np.broadcast_to(np.cos(2 * shard.time)[None, :, None], shard.state.shape)
    np.testing.assert_allclose(shard.optional["derivative"], expected, atol=1e-15)


def test_slopes_of_a_field_agree_with_differences_in_time(make):
    field = {"name": "kuramoto-sivashinsky", "size": 32, "parameters": {}}
    folder = make(
        {"derivative": True},
        system=field,
        grid={"duration": 0.002, "points": 3, "step": None},
        dataset={**ROWS, "train": 3, "validation": 0, "test": 0},
    )
    shard = read_shard(folder / "train-00000.h5")
    central = (shard.state[:, 2] - shard.state[:, 0]) / 0.002
    np.testing.assert_allclose(shard.optional["derivative"][:, 1], central, atol=1e-4)


def test_some_components_are_those_columns_of_all(make):
    whole = read_shard(make({"derivative": True}) / "test-00000.h5")
    part = read_shard(make({"components": ["v"], "derivative": True}) / "test-00000.h5")
    assert (part.components, part.system_states) == (("v",), ("x", "v"))
    np.testing.assert_array_equal(part.state, whole.state[..., 1:])
    np.testing.assert_array_equal(part.optional["derivative"], whole.optional["derivative"][..., 1:])
    np.testing.assert_array_equal(part.initial_state, whole.initial_state)


EVERYTHING = {"components": ["x"], "noise": {"relative": 0.05}, "clean": True, "derivative": True}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_xarray_reads_all_that_is_kept(make, compression):
    path = make(EVERYTHING, dataset={**ROWS, "compression": compression}) / "train-00000.h5"
    with xarray.open_dataset(path, engine="h5netcdf") as opened:
        assert opened.clean_state.dims == opened.derivative.dims == ("trajectory", "time", "component")
        assert opened.initial_state.sel(system_state="v").shape == (16,)
        assert float(np.abs(opened.state - opened.clean_state).max()) > 0


@pytest.mark.parametrize(
    "observation",
    [
        {"components": ["v"]},
        {"noise": {"absolute": 0.1}},
        {"noise": {"relative": 0.1}, "derivative": True},
        {"noise": {"step": 0.5}},
        EVERYTHING,
    ],
    ids=["component", "noise", "noise and slopes", "noise of steps", "everything"],
)
def test_verify_integrates_the_rows_again_and_finds_what_was_changed(make, observation, tmp_path):
    folder = make(observation)
    assert verify(folder) == []
    sound = reintegrate(folder, 20)
    assert (sound.problems, sound.rows) == ([], 20)
    path = folder / "train-00000.h5"
    shard = read_shard(path)
    for name in ("state", *shard.optional):
        forged = tmp_path / "train-00000.h5"
        values = np.array(shard.variables[name])
        values[3, 7] += 1e-6
        if name == "state":
            write_shard(forged, _changed(shard, state=values))
        else:
            write_shard(forged, _changed(shard, optional={**shard.optional, name: values}))
        found = reintegrate(forged, 16).problems
        assert len(found) == 1
        assert "row 3" in found[0]
        assert ("the states" if name == "state" else name) in found[0]


def _changed(shard, **parts):
    return type(shard)(**{**vars(shard), **parts})


@pytest.mark.parametrize("stripped", ["clean_state", "derivative", "system_state", "energy_drift"])
def test_a_variable_that_the_config_asks_for_cannot_go_missing(make, tmp_path, stripped):
    system = {"name": "mass-spring", "parameters": {}}
    observation = {"components": ["q"], "noise": {"absolute": 0.1}, "clean": True, "derivative": True}
    folder = make(observation, system=system, dataset={**ROWS, "diagnostics": ["energy_drift"]})
    shard = read_shard(folder / "train-00000.h5")
    if stripped == "system_state":
        lost = _changed(shard, system_states=(), initial_state=shard.initial_state[:, :1])
    else:
        lost = _changed(shard, optional={k: v for k, v in shard.optional.items() if k != stripped})
    write_shard(tmp_path / "train-00000.h5", lost)
    assert verify(folder / "train-00000.h5") == []
    assert any(
        "its config asks" in line or "system_state" in line for line in verify(tmp_path / "train-00000.h5")
    )


def test_a_variable_of_another_length_is_refused(make):
    path = make(EVERYTHING) / "validation-00000.h5"
    with h5py.File(path, "a") as file:
        values = file["derivative"][:, :-1]
        del file["derivative"]
        file["derivative"] = values
    with pytest.raises(TrajstoreError, match="time has 20 entries, elsewhere 21"):
        read_shard(path)


def test_what_diverges_fails_in_all_variables(make):
    blow_up = {"name": "blow-up", "equations": {"x": "x**2"}, "initial_state": {"x": [-1.0, 1.0]}}
    folder = make({"noise": {"absolute": 0.1}, "clean": True, "derivative": True}, system=blow_up)
    assert verify(folder) == []
    shard = read_shard(folder / "train-00000.h5")
    failed = shard.status != 0
    assert 0 < failed.sum() < len(failed)
    for name in ("state", "clean_state", "derivative"):
        assert (np.isnan(shard.variables[name]).all(axis=(1, 2)) == failed).all()
    assert reintegrate(folder, 30).problems == []


def test_select_merge_and_export_carry_all_along(make, tmp_path):
    folder = make(EVERYTHING, dataset={**ROWS, "seed": 1})
    other = make(EVERYTHING, dataset={**ROWS, "seed": 2})
    runner = CliRunner()

    def run(*arguments):
        done = runner.invoke(main, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        return done.output

    run("select", folder, "--out", tmp_path / "part", "--rows", "5:25", "--time", "0:1")
    assert verify(tmp_path / "part") == []
    part, whole = read_shard(tmp_path / "part/train-00000.h5"), read_shard(folder / "train-00000.h5")
    np.testing.assert_array_equal(part.optional["clean_state"][:11], whole.optional["clean_state"][5:16, :11])
    assert reintegrate(tmp_path / "part", 10).problems == []
    run("merge", folder, other, "--out", tmp_path / "both")
    assert verify(tmp_path / "both") == []
    assert reintegrate(tmp_path / "both", 10).problems == []
    run("export", folder, "--out", tmp_path / "npz", "--format", "npz")
    with np.load(tmp_path / "npz/train.npz") as arrays:
        np.testing.assert_array_equal(arrays["derivative"][:16], whole.optional["derivative"])
        assert list(arrays["system_state"]) == ["x", "v"]
    run("export", folder, "--out", tmp_path / "csv", "--format", "csv")
    table = np.genfromtxt(tmp_path / "csv/train.csv", delimiter=",", names=True, deletechars="")
    np.testing.assert_array_equal(
        table["clean_state:x"][: 16 * 21], whole.optional["clean_state"].reshape(-1)
    )
    run("export", folder, "--out", tmp_path / "nc", "--format", "netcdf")
    with xarray.open_dataset(tmp_path / "nc/train.nc", engine="netcdf4") as opened:
        assert opened.initial_state.dims == ("trajectory", "system_state")


def test_noise_of_rows_cut_from_others_cannot_be_drawn_again_which_is_said(make, tmp_path):
    folder = make({"noise": {"absolute": 0.1}})
    CliRunner().invoke(main, ["select", str(folder), "--out", str(tmp_path / "part"), "--rows", "5:25"])
    assert verify(tmp_path / "part") == []
    done = CliRunner().invoke(main, ["verify", str(tmp_path / "part"), "--reintegrate", "5"])
    assert done.exit_code == 2
    assert "noise that cannot be drawn again" in done.output


def test_datasets_of_other_noise_do_not_merge(make, tmp_path):
    folders = [make({"noise": {"absolute": size}}) for size in (0.1, 0.2)]
    done = CliRunner().invoke(main, ["merge", *map(str, folders), "--out", str(tmp_path / "both")])
    assert done.exit_code == 2
    assert "observations differ" in done.output


def test_the_clean_states_and_slopes_of_samples_can_be_read_beside_them(make):
    folder = make(EVERYTHING)
    dataset = TrajectoryDataset(folder, "train", "forecast", window=5, stride=4)
    index = [0, 7, 100, len(dataset) - 1]
    noisy, clean, slopes = (dataset.states(index, name) for name in ("state", "clean_state", "derivative"))
    assert noisy.shape == clean.shape == slopes.shape == (4, 5, 1)
    shard = read_shard(folder / "train-00001.h5")
    row, start = divmod(100, dataset.windows.per_row)
    expected = shard.optional["clean_state"][row - 16, start * 4 : start * 4 + 5]
    np.testing.assert_allclose(clean[2].numpy(), expected, rtol=1e-6)
    with pytest.raises(TrajstoreError, match="no variable 'clean'"):
        dataset.states(index, "clean")


@pytest.mark.parametrize(
    ("observation", "said"),
    [
        ({"components": ["q"]}, "no state 'q'; there are x, v"),
        ({"components": ["v", "x"]}, "in the system's order: x, v"),
        ({"components": ["x", "x"]}, "each once"),
        ({"components": []}, "observation.components"),
        ({"noise": {}}, "one of relative, absolute and step"),
        ({"noise": {"relative": 0.1, "absolute": 0.1}}, "one of relative, absolute and step"),
        ({"noise": {"relative": -0.1}}, "observation.noise.relative: got -0.1"),
        ({"noise": {"absolute": {"y": 0.1}}}, "'y' is not observed; observed are x, v"),
        ({"clean": True}, "without noise the states are clean"),
        ({"noise": 0.1}, "observation.noise"),
    ],
)
def test_a_section_that_makes_no_sense_is_one_error(experiment, observation, said):
    with pytest.raises(TrajstoreError, match=said.replace("[", r"\[")):
        experiment(system=SPRING, observation=observation)


def test_a_network_is_trained_judged_and_drawn_on_what_is_observed(make, tmp_path):
    config = tmp_path / "hidden.toml"
    config.write_text(
        """
[system]
name = "lorenz"
[grid]
duration = 1.0
points = 21
[observation]
components = ["x"]
noise = { relative = 0.02 }
clean = true
[dataset]
train = 60
validation = 10
test = 10
[task]
normalize = true
[model]
hidden = 4
[training]
steps = 6
batch = 16
[evaluation]
rollouts = 3
rollout_lengths = 2
"""
    )
    runner, data, run = CliRunner(), str(tmp_path / "data"), str(tmp_path / "run")
    for command in (
        ["generate", str(config), "--out", data],
        ["info", data],
        ["train", str(config), "--data", data, "--out", run],
        ["evaluate", run],
        ["plot", run],
        ["plot", data],
    ):
        done = runner.invoke(main, command)
        assert done.exit_code == 0, done.output
    assert "1 of 3 states; normal noise" in runner.invoke(main, ["info", data]).output.replace("\n", " ")
    assert "also stored: clean" in (tmp_path / "data/README.md").read_text()


def test_what_is_kept_beside_the_states_is_of_their_dtype_in_every_shard(make, forge, tmp_path):
    folder = make({"noise": {"absolute": 0.1}, "clean": True, "derivative": True})
    name = "train-00001.h5"
    optional = read_shard(folder / name).optional
    forge(folder, name, optional={**optional, "derivative": optional["derivative"].astype("f4")})
    assert verify(folder) == [f"{name}: derivative is float32, the config says float64"]
    for form in ("npz", "csv", "netcdf"):
        with pytest.raises(TrajstoreError, match=f"{name} has another dtype"):
            export(folder, tmp_path / form, form)


def test_datasets_cut_from_one_that_keeps_slopes_of_another_dtype_have_one_dtype(make, forge, tmp_path):
    folder = make({"derivative": True}, dataset={**ROWS, "train": 10, "validation": 0, "test": 0})
    name = "train-00000.h5"
    slopes = read_shard(folder / name).optional["derivative"].astype("f4")
    forge(folder, name, optional={"derivative": slopes})
    export(folder, tmp_path / "npz", "npz")
    with np.load(tmp_path / "npz/train.npz") as arrays:
        np.testing.assert_array_equal(arrays["derivative"], slopes, strict=True)
    export(folder, tmp_path / "csv", "csv")
    with (tmp_path / "csv/train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    states = [[float(row[name]) for name in ("x", "v")] for row in rows]
    np.testing.assert_array_equal(states, read_shard(folder / name).state.reshape(-1, 2))
    select(folder, tmp_path / "part", Selection(rows=(0, 5)))
    assert verify(tmp_path / "part") == []


def test_relative_noise_of_huge_states_is_no_warning():
    states = np.full((1, 5, 2), 1e200) * np.arange(10.0).reshape(1, 5, 2)
    system = get_system("mass-spring")
    seen = Observation(noise=Noise(relative=0.1))
    got = seen.observe(system, 0, "train", np.arange(1), states, np.empty((1, 0)), np.arange(5.0))
    assert not np.isfinite(got.state).all()


def test_a_row_that_failed_by_its_noise_is_no_false_alarm_once_cut(make, tmp_path):
    folder = make(
        {"noise": {"absolute": 1.2e38}, "clean": True}, dataset={**ROWS, "dtype": "float32", "train": 30}
    )
    failed = read_shard(folder / "train-00000.h5").status != 0
    assert 0 < failed.sum() < len(failed)
    assert reintegrate(folder, 30).problems == []
    select(folder, tmp_path / "part", Selection(rows=(0, 16)))
    assert reintegrate(tmp_path / "part", 16).problems == []
