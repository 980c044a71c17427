"""Exported files hold the same numbers, to the last digit, as other programs read them."""

import csv
import json
import subprocess

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from click.testing import CliRunner
from trajstore.data import DataError, load_manifest
from trajstore.pipeline import Columns, Import, export, generate, import_files
from trajstore.pipeline.cli.main import main


def by_h5py(folder, split, name="state") -> np.ndarray:
    parts = []
    for path in sorted(folder.glob(f"{split}-*.h5")):
        with h5py.File(path) as file:
            parts.append(file[name][()])
    return np.concatenate(parts)


COLUMNS = ("state", "initial_state", "status", "trajectory")


@pytest.fixture(scope="module", params=["float32", "float64", "failing"])
def source(request, experiment, failing_dataset, tmp_path_factory):
    if request.param == "failing":
        return failing_dataset
    folder = tmp_path_factory.mktemp(request.param) / "dataset"
    generate(experiment(dataset={"dtype": request.param, "compression": "gzip"}), folder, jobs=1)
    return folder


@pytest.mark.slow
def test_npz_is_read_by_numpy_without_pickles(source, tmp_path):
    export(source, tmp_path / "out", "npz")
    for split in ("train", "validation"):
        with np.load(tmp_path / f"out/{split}.npz", allow_pickle=False) as arrays:
            for name in COLUMNS:
                np.testing.assert_array_equal(arrays[name], by_h5py(source, split, name), strict=True)
            with h5py.File(source / "train-00000.h5") as file:
                np.testing.assert_array_equal(arrays["time"], file["time"], strict=True)
                assert arrays["component"].tolist() == [name.decode() for name in file["component"]]


@pytest.mark.slow
def test_csv_holds_every_digit_and_failed_rows_are_empty_cells(source, tmp_path):
    export(source, tmp_path / "out", "csv")
    states, status = by_h5py(source, "train"), by_h5py(source, "train", "status")
    with (tmp_path / "out/train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    components = json.loads((tmp_path / "out/dataset.json").read_text())["components"]
    assert len(rows) == states.shape[0] * states.shape[1]
    for place, row in enumerate(rows):
        number, sample = divmod(place, states.shape[1])
        assert int(row["trajectory"]) == number
        cells = [row[name] for name in components]
        if status[number]:
            assert cells == [""] * len(components)
        else:
            read = np.array([float(cell) for cell in cells]).astype(states.dtype)
            np.testing.assert_array_equal(read, states[number, sample])
    with h5py.File(source / "train-00000.h5") as file:
        assert [float(row["time"]) for row in rows[: states.shape[1]]] == file["time"][()].tolist()


@pytest.mark.slow
def test_netcdf_is_read_by_other_programs(source, tmp_path):
    export(source, tmp_path / "out", "netcdf")
    path = tmp_path / "out/train.nc"
    with netCDF4.Dataset(path) as file:
        assert file.variables["state"].dimensions == ("trajectory", "time", "component")
        for name in COLUMNS:
            values = np.ma.getdata(file.variables[name][...])
            np.testing.assert_array_equal(values, by_h5py(source, "train", name), strict=True)
    with xarray.open_dataset(path, engine="h5netcdf") as opened:
        first = str(opened.component.values[0])
        np.testing.assert_array_equal(opened.state.sel(component=first), by_h5py(source, "train")[:, :, 0])
        assert json.loads(opened.attrs["system"])["states"][0] == first
    header = subprocess.run(["ncdump", "-h", path], capture_output=True, text=True, check=True).stdout
    assert "state(trajectory, time, component)" in header


@pytest.mark.slow
@pytest.mark.parametrize("form", ["npz", "csv", "netcdf"])
def test_what_is_exported_can_be_imported_with_the_same_numbers(source, tmp_path, form):
    (path,) = export(source, tmp_path / "out", form, ["train"])
    manifest = load_manifest(source)
    names = {name: name for name in manifest.system["parameters"]}
    settings = Import(Columns(parameters=names), validation=0, test=0)
    import_files([path], tmp_path / "back", settings)
    expected = by_h5py(source, "train")
    read = by_h5py(tmp_path / "back", "train")
    np.testing.assert_array_equal(read.astype(expected.dtype), expected)
    for name in names:
        np.testing.assert_array_equal(
            by_h5py(tmp_path / "back", "train", name), by_h5py(source, "train", name)
        )
    failed = by_h5py(source, "train", "status") != 0
    np.testing.assert_array_equal(by_h5py(tmp_path / "back", "train", "status") != 0, failed)


@pytest.fixture(scope="module")
def diagnosed(experiment, tmp_path_factory):
    """Rows with both diagnostics and all that is kept beside states; some have failed."""
    folder = tmp_path_factory.mktemp("diagnosed") / "dataset"
    system = {
        "name": "falling",
        "equations": {"x": "v", "v": "x**2"},
        "hamiltonian": "v**2/2 - x**3/3",
        "parameters": {"k": {"uniform": [0.0, 1.0]}},
        "initial_state": {"x": [-2.0, 2.0], "v": [-1.0, 1.0]},
    }
    kept = {"noise": {"relative": 0.1}, "clean": True, "derivative": True}
    names = ["lyapunov_exponent", "energy_drift"]
    dataset = {"train": 30, "validation": 0, "test": 0, "shard_rows": 8, "diagnostics": names}
    grid = {"duration": 3.0, "points": 7}
    generate(experiment(system=system, grid=grid, observation=kept, dataset=dataset), folder, jobs=1)
    assert 0 < (by_h5py(folder, "train", "status") != 0).sum() < 30
    return folder


@pytest.mark.slow
def test_diagnostics_are_columns_of_a_table_the_same_along_each_row(diagnosed, tmp_path):
    export(diagnosed, tmp_path / "out", "csv")
    with (tmp_path / "out/train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-3:] == ["k", "energy_drift", "lyapunov_exponent"]
    status = by_h5py(diagnosed, "train", "status")
    for name in ("energy_drift", "lyapunov_exponent"):
        values = np.repeat(by_h5py(diagnosed, "train", name), 7)
        cells = [row[name] for row in rows]
        assert [cell == "" for cell in cells] == (np.repeat(status, 7) != 0).tolist()
        np.testing.assert_array_equal([float(cell or "nan") for cell in cells], values)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["npz", "csv", "netcdf"])
def test_states_and_parameters_come_back_from_a_file_that_has_more(diagnosed, tmp_path, form):
    (path,) = export(diagnosed, tmp_path / "out", form)
    settings = Import(Columns(parameters={"k": "k"}), validation=0, test=0)
    import_files([path], tmp_path / "back", settings)
    assert load_manifest(tmp_path / "back").components == ["x", "v"]
    for name in ("state", "k"):
        read, expected = by_h5py(tmp_path / "back", "train", name), by_h5py(diagnosed, "train", name)
        np.testing.assert_array_equal(read.astype(expected.dtype), expected)
    if form != "csv":
        with (np.load if form == "npz" else h5py.File)(path) as arrays:
            for name in ("energy_drift", "lyapunov_exponent"):
                np.testing.assert_array_equal(arrays[name][()], by_h5py(diagnosed, "train", name))


@pytest.mark.slow
def test_the_same_dataset_gives_the_same_bytes(small_dataset, tmp_path):
    for form in ("npz", "csv", "netcdf"):
        for name in ("a", "b"):
            export(small_dataset, tmp_path / form / name, form)
        for path in (tmp_path / form / "a").iterdir():
            assert path.read_bytes() == (tmp_path / form / "b" / path.name).read_bytes()


def test_the_command_and_its_errors(small_dataset, tmp_path):
    arguments = ["export", str(small_dataset), "--out", str(tmp_path / "out"), "--format", "csv"]
    done = CliRunner().invoke(main, [*arguments, "--split", "test"])
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(tmp_path / "out/test.csv")]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"test.csv", "dataset.json"}
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "exists; choose a new or empty folder" in again.stderr
    assert CliRunner().invoke(main, [*arguments[:-1], "parquet"]).exit_code == 2


def test_a_split_without_rows_is_an_error(failing_dataset, tmp_path):
    with pytest.raises(DataError, match="no rows of the split 'test'; it has train, validation"):
        export(failing_dataset, tmp_path / "out", "npz", ["test"])
    assert list(tmp_path.iterdir()) == []
