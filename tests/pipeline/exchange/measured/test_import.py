"""Measured trajectories become a dataset of which everything but re-integration works."""

import json
import zipfile

import h5py
import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import netcdf_file
from trajstore.data import TrajectoryDataset, load_manifest, verify
from trajstore.pipeline.cli.main import main

TIMES = np.linspace(1.0, 3.0, 9)
GENERATOR = np.random.default_rng(0)
STATES = GENERATOR.standard_normal((20, 9, 2))
MASS = GENERATOR.uniform(1, 2, 20)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write_csv(path, states=STATES, times=TIMES, delimiter=",", header=None):
    lines = [header or ["trajectory", "time", "x", "v", "mass"]]
    for number, states_of in enumerate(states):
        for time, (x, v) in zip(times, states_of, strict=True):
            lines.append(
                [
                    f"run {number}",
                    repr(float(time)),
                    repr(float(x)),
                    repr(float(v)),
                    repr(float(MASS[number])),
                ]
            )
    path.write_text("\n".join(delimiter.join(line) for line in lines) + "\n")


def write_npz(path):
    np.savez_compressed(path, state=STATES, time=TIMES, component=np.array(["x", "v"]), mass=MASS)


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("lab/position", data=STATES[:, :, 0], compression="gzip", shuffle=True)
        file["lab/speed"] = STATES[:, :, 1]
        file["lab/clock"] = TIMES
        file["mass"] = MASS


def write_netcdf4(path):
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("run", 20), ("time", 9)):
            file.createDimension(name, size)
        for name, values in (("x", STATES[:, :, 0]), ("v", STATES[:, :, 1])):
            file.createVariable(name, "f8", ("run", "time"), zlib=True)[:] = values
        file.createVariable("time", "f8", ("time",))[:] = TIMES
        file.createVariable("mass", "f8", ("run",))[:] = MASS


def write_netcdf3(path):
    with netcdf_file(path, "w") as file:
        for name, size in (("run", 20), ("time", 9)):
            file.createDimension(name, size)
        for name, values in (("x", STATES[:, :, 0]), ("v", STATES[:, :, 1])):
            file.createVariable(name, "d", ("run", "time"))[:] = values
        file.createVariable("time", "d", ("time",))[:] = TIMES
        file.createVariable("mass", "d", ("run",))[:] = MASS


KINDS = {
    "csv": ("data.csv", write_csv, []),
    "semicolons": ("data.txt", lambda path: write_csv(path, delimiter=";"), []),
    "npz": ("data.npz", write_npz, []),
    "hdf5": ("data.h5", write_hdf5, ["--components", "x=lab/position,v=lab/speed", "--time", "lab/clock"]),
    "netcdf 4": ("data.nc", write_netcdf4, ["--components", "x,v"]),
    "netcdf 3": ("data.nc", write_netcdf3, ["--components", "x,v"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_dataset_but_for_its_source(tmp_path, kind):
    name, write, arguments = KINDS[kind]
    write(tmp_path / name)
    out = tmp_path / "out"
    done = run(
        "import", tmp_path / name, "--out", out, "--parameters", "m=mass", *arguments, "--name", "cart"
    )
    assert done.exit_code == 0, done.output
    assert "16 train, 2 validation, 2 test rows" in done.stdout
    assert verify(out) == []
    found = {}
    for split in ("train", "validation", "test"):
        with h5py.File(out / f"{split}-00000.h5") as file:
            assert [label.decode() for label in file["component"]] == ["x", "v"]
            np.testing.assert_array_equal(file["time"], TIMES)
            for row, number in enumerate(file["source_row"][()]):
                np.testing.assert_array_equal(file["state"][row], STATES[number])
                np.testing.assert_array_equal(file["initial_state"][row], STATES[number, 0])
                assert file["m"][row] == MASS[number]
                found[int(number)] = split
    # Each trajectory lies in one split.
    assert sorted(found) == list(range(20))
    manifest = load_manifest(out)
    assert "equations" not in manifest.system
    (source,) = manifest.config["derived"]["sources"]
    assert (source["file"], source["bytes"]) == (name, (tmp_path / name).stat().st_size)


@pytest.mark.slow
def test_the_whole_way_but_for_re_integration(tmp_path):
    write_csv(tmp_path / "data.csv")
    config = tmp_path / "learn.toml"
    config.write_text("[task]\nnormalize = true\n[training]\nsteps = 5\nbatch = 4\nevaluate_every = 5\n")
    out = tmp_path / "out"
    for arguments in (
        ["import", tmp_path / "data.csv", "--out", out, "--parameters", "mass"],
        ["verify", out],
        ["info", out],
        ["info", out, "--json"],
        ["train", config, "--data", out, "--out", tmp_path / "run"],
        ["evaluate", tmp_path / "run"],
        ["plot", tmp_path / "run"],
        ["plot", out],
        ["select", out, "--out", tmp_path / "some", "--time", "1.5:", "--where", "mass=1:2"],
        ["verify", tmp_path / "some"],
        ["export", tmp_path / "some", "--out", tmp_path / "exported", "--format", "netcdf"],
    ):
        done = run(*arguments)
        assert done.exit_code == 0, f"{arguments}: {done.output}"
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["rollout"]["trajectories"] == 8, "several of each row"
    assert metrics["rollout"]["amplitude"] is None
    assert metrics["test"]["trajectories"] == 2
    again = run("verify", out, "--reintegrate", "3")
    assert again.exit_code == 2
    assert "was measured and has no equations" in again.stderr


def test_gaps_are_kept_as_rows_with_a_status(tmp_path):
    states = STATES.copy()
    states[3, 4, 1] = np.nan
    write_csv(tmp_path / "data.csv", states)
    text = (tmp_path / "data.csv").read_text().replace("nan", "", 1)
    (tmp_path / "data.csv").write_text(text)
    done = run("import", tmp_path / "data.csv", "--out", tmp_path / "out", "--validation", 0, "--test", 0)
    assert "20 train, 0 validation, 0 test rows; 1 of them not sound" in done.stdout
    assert verify(tmp_path / "out") == []
    with h5py.File(tmp_path / "out/train-00000.h5") as file:
        assert file["status"][()].tolist() == [4 if row == 3 else 0 for row in range(20)]
        meanings = file["status"].attrs["flag_meanings"].split()
        assert meanings[file["status"].attrs["flag_values"].tolist().index(4)] == "missing"
        assert np.isnan(file["state"][3]).all()
    assert len(TrajectoryDataset(tmp_path / "out", "train")) == 19


def write_series(path, samples, start=0.0):
    times = start + 0.1 * np.arange(samples)
    np.savez(path, state=np.sin(times), time=times)


def test_long_trajectories_are_cut_and_split_in_the_order_of_time(tmp_path):
    write_series(tmp_path / "a.npz", 1003)
    write_series(tmp_path / "b.npz", 205, start=7.0)
    out = tmp_path / "out"
    done = run(
        "import", tmp_path / "a.npz", tmp_path / "b.npz", "--out", out, "--length", 10, "--split-by", "time"
    )
    assert "96 train, 12 validation, 12 test rows" in done.stdout, done.output
    assert verify(out) == []
    last = {}
    for split in ("train", "validation", "test"):
        with h5py.File(out / f"{split}-00000.h5") as file:
            np.testing.assert_allclose(file["time"], 0.1 * np.arange(10), atol=1e-12)
            phase = np.arctan2(file["state"][:, 0, 0], 1)
            assert np.isfinite(phase).all()
            sources = file["source"][()]
            for source in (0, 1):
                starts = file["initial_state"][()][sources == source, 0]
                first = last.get(source, 0)
                expected = np.sin((0.0, 7.0)[source] + 0.1 * 10 * (first + np.arange(len(starts))))
                np.testing.assert_allclose(starts, expected, atol=1e-9)
                last[source] = first + len(starts)
    assert last == {0: 100, 1: 20}


@pytest.mark.slow
@settings(max_examples=25)
@given(
    samples=st.lists(st.integers(4, 60), min_size=4, max_size=9),
    length=st.integers(2, 4),
    share=st.sampled_from([0.0, 0.1, 0.3]),
)
def test_a_trajectory_is_never_in_two_splits(tmp_path_factory, samples, length, share):
    folder = tmp_path_factory.mktemp("cut")
    for number, count in enumerate(samples):
        write_series(folder / f"{number}.npz", count, start=float(number))
    files = [folder / f"{number}.npz" for number in range(len(samples))]
    done = run(
        "import", *files, "--out", folder / "out", "--length", length, "--validation", share, "--test", share
    )
    assert done.exit_code == 0, done.output
    splits = {}
    pieces = 0
    for path in (folder / "out").glob("*.h5"):
        with h5py.File(path) as file:
            pieces += len(file["source"])
            for source in file["source"][()]:
                splits.setdefault(int(source), set()).add(path.name.split("-")[0])
    assert all(len(names) == 1 for names in splits.values())
    assert pieces == sum(count // length for count in samples)


def bad(name, content):
    return lambda folder: (folder / name).write_text(content) and [folder / name]


def npz(**arrays):
    def write(folder):
        np.savez(folder / "data.npz", **arrays)
        return [folder / "data.npz"]

    return write


def pickled(folder):
    np.savez(folder / "data.npz", state=np.array([{"a": 1}], dtype=object))
    return [folder / "data.npz"]


def bomb(folder):
    with (
        zipfile.ZipFile(folder / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("state.npy", "w", force_zip64=True) as member,
    ):
        header = {"descr": "<f8", "fortran_order": False, "shape": (1, 2**26, 1)}
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(2**9):
            member.write(bytes(2**20))
    return [folder / "data.npz"]


def external(folder):
    (folder / "secret.bin").write_bytes(bytes(800))
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("state", (100,), "f8", external=[(str(folder / "secret.bin"), 0, 800)])
    return [folder / "data.h5"]


def linked(folder):
    with h5py.File(folder / "other.h5", "w") as file:
        file["state"] = np.zeros((3, 4))
    with h5py.File(folder / "data.h5", "w") as file:
        file["state"] = h5py.ExternalLink("other.h5", "state")
    return [folder / "data.h5"]


LINE = "trajectory,time,x\n"
BAD = {
    "no such file": (lambda folder: [folder / "none.csv"], "none.csv: no such file"),
    "a picture": (bad("a.png", "PNG\0\0\0\0"), "neither CSV"),
    "no header": (bad("a.csv", "0,1,2\n1,2,3\n"), "line 1: expected a header"),
    "doubled names": (bad("a.csv", "x,x\n1,2\n"), "more than one column is called x"),
    "no lines": (bad("a.csv", LINE), "no line below the header"),
    "a word": (bad("a.csv", LINE + "0,0,1\n0,1,one\n"), "line 3: x is 'one', expected a number"),
    "a short line": (bad("a.csv", LINE + "0,0,1\n0,1\n"), "line 3: 2 cells, expected 3"),
    "time stands still": (bad("a.csv", LINE + "0,0,1\n0,0,2\n"), "do not increase"),
    "no times": (bad("a.csv", "x\n1\n2\n"), "--step"),
    "other lengths": (bad("a.csv", LINE + "0,0,1\n0,1,2\n1,0,1\n1,1,2\n1,2,3\n"), "--length"),
    "other grids": (bad("a.csv", LINE + "0,0,1\n0,1,2\n1,0,1\n1,2,3\n2,0,1\n2,1,4\n"), "at other times"),
    "too few": (bad("a.csv", LINE + "0,0,1\n0,1,2\n"), "1 trajectory cannot be split"),
    "one sample": (bad("a.csv", LINE + "0,0,1\n1,0,2\n2,0,2\n"), "at least 2"),
    "no state": (npz(a=np.zeros((3, 4, 1)), time=np.arange(4.0)), "say --state NAME"),
    "four dimensions": (npz(state=np.zeros((3, 4, 1, 1)), time=np.arange(4.0)), "has shape (3, 4, 1, 1)"),
    "times of other length": (npz(state=np.zeros((3, 4, 1)), time=np.arange(5.0)), "time has shape (5,)"),
    "words in an array": (npz(state=np.array([["a", "b"]]), time=np.arange(2.0)), "expected numbers"),
    "a pickle": (pickled, "cannot be read"),
    "a bomb": (bomb, "unpacks to"),
    "external storage": (external, "lies in other files"),
    "an external link": (linked, "which variables are the state"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_clear_message_and_leaves_nothing(tmp_path, case):
    make, message = BAD[case]
    files = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    done = run("import", *files, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--components", "x,y"], "no column 'y'"),
        (["--components", "a b=x"], "is no name"),
        (["--parameters", "x"], "a parameter changes within trajectory 0"),
        (["--parameters", "state=mass"], "variable of the file format"),
        (["--time", "clock"], "no column 'clock'"),
        (["--components", ","], "expected NAME,NAME"),
        (["--validation", "1.5"], "--validation"),
        (["--length", "50"], "at least 50"),
        (["--validation", "0.6", "--test", "0.6"], "leave nothing for train"),
    ],
)
def test_bad_arguments_are_one_clear_message(tmp_path, arguments, message):
    write_csv(tmp_path / "data.csv")
    done = run("import", tmp_path / "data.csv", "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_files_with_other_components_do_not_go_together(tmp_path):
    write_csv(tmp_path / "a.csv")
    write_csv(tmp_path / "b.csv", header=["trajectory", "time", "x", "w", "mass"])
    done = run("import", tmp_path / "a.csv", tmp_path / "b.csv", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "expected the same in all files" in done.stderr


def test_a_missing_value_of_double_precision_is_found_in_single_precision(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["state"] = np.array([1.5, 1e20, 2.5], dtype=np.float32)
        file["state"].attrs["missing_value"] = 1e20
    arguments = ["--step", 1, "--out", tmp_path / "out", "--validation", 0, "--test", 0]
    assert "1 of them not sound" in run("import", tmp_path / "data.h5", *arguments).stdout
