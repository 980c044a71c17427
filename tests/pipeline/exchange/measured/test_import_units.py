"""Units of components, wherever a file states them: files that differ in one do not become one dataset."""

import json

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError
from trajstore.pipeline import Columns
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.exchange.measured.reading import read_measurements

ALL_TO_TRAIN = ("--validation", 0, "--test", 0)
TIMES = np.linspace(0.0, 1.0, 5)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def trc(path, unit):
    rows = np.random.default_rng(len(unit)).standard_normal((4, 3)).round(4)
    frames = "".join(
        f"{n + 1}\t{n / 50}\t{row[0]}\t{row[1]}\t{row[2]}\n" for n, row in enumerate(rows.tolist())
    )
    path.write_text(
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}\nDataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\n"
        f"50\t50\t4\t1\t{unit}\nFrame#\tTime\thip\t\t\n\t\tX1\tY1\tZ1\n\n{frames}"
    )
    return path


def mot(path, line):
    rows = np.random.default_rng(len(line)).standard_normal(4).round(4)
    lines = "".join(f"{n / 10}\t{row}\n" for n, row in enumerate(rows.tolist()))
    path.write_text(f"walk\nversion=1\n{line}nRows=4\nnColumns=2\nendheader\ntime\tq\n{lines}")
    return path


def test_markers_in_different_units_are_refused(tmp_path):
    a, b, c = (
        trc(tmp_path / name, unit) for name, unit in (("a.trc", "mm"), ("b.trc", "m"), ("c.trc", "mm "))
    )
    assert dict(read_measurements(a, Columns()).units) == dict.fromkeys(("hip_x", "hip_y", "hip_z"), "mm")
    done = run("import", a, b, "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert (done.exit_code, f"{b}: hip_x is in m, that of {a} in mm" in done.stderr) == (2, True), done.output
    assert run("import", a, c, "--out", tmp_path / "out", *ALL_TO_TRAIN).exit_code == 0


def test_angles_in_different_units_are_refused_and_told(tmp_path):
    degrees, radians, silent, more = (
        mot(tmp_path / f"{name}.mot", line)
        for name, line in (
            ("a", "inDegrees=yes\n"),
            ("b", "inDegrees=no\n"),
            ("c", ""),
            ("d", "InDegrees = YES\n"),
        )
    )
    for other, unit in ((radians, "radians"), (silent, "a unit that it does not state")):
        done = run("import", degrees, other, "--out", tmp_path / "out", *ALL_TO_TRAIN)
        expected = f"{other}: angles are in {unit}, those of {degrees} in degrees"
        assert (done.exit_code, expected in done.stderr) == (2, True), done.output
    done = run("import", degrees, more, "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert (done.exit_code, "angles in: degrees" in done.stdout) == (0, True), done.output
    with pytest.raises(DataError, match=r"e\.mot: line 3: inDegrees is 'perhaps', expected yes or no"):
        read_measurements(mot(tmp_path / "e.mot", "inDegrees=perhaps\n"), Columns())


def hdf5(path, units, seed=0):
    with h5py.File(path, "w") as file:
        file["state"] = np.random.default_rng(seed).standard_normal((3, 5, 2))
        file["time"] = TIMES
        file["state"].attrs["units"] = units
    return path


@pytest.mark.parametrize("kind", [list, np.bytes_, lambda units: np.array(units, dtype=object)])
def test_a_unit_for_each_component(tmp_path, kind):
    a, b = hdf5(tmp_path / "a.h5", kind(["m", "m/s"])), hdf5(tmp_path / "b.h5", kind(["m", "cm/s"]), seed=1)
    assert dict(read_measurements(a, Columns()).units) == {"x1": "m", "x2": "m/s"}
    assert dict(read_measurements(a, Columns(components={"v": "x2"})).units) == {"v": "m/s"}
    done = run("import", a, b, "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert (done.exit_code, f"{b}: x2 is in cm/s, that of {a} in m/s" in done.stderr) == (2, True), (
        done.output
    )


def test_a_unit_for_each_component_in_npz(tmp_path):
    states = np.random.default_rng(0).standard_normal((3, 5, 2))
    np.savez(
        tmp_path / "a.npz", state=states, time=TIMES, units=json.dumps({"state": ["m", "1"], "time": "s"})
    )
    read = read_measurements(tmp_path / "a.npz", Columns())
    assert (dict(read.units), str(read.unit)) == ({"x1": "m"}, "s")


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (["m", "m", "s"], r"a\.h5: units of state has 3 values, expected one, or 2: one a component"),
        ([1.0, 2.0], r"a\.h5: units of state is 1\.0, expected text"),
        (5, r"a\.h5: units of state is 5, expected text"),
    ],
)
def test_units_that_cannot_be_told_are_refused(tmp_path, units, message):
    path = hdf5(tmp_path / "a.h5", units)
    with pytest.raises(DataError, match=message):
        read_measurements(path, Columns())


def test_units_that_are_no_text_are_refused_of_times_and_parameters_too(tmp_path):
    path = hdf5(tmp_path / "a.h5", "m")
    with h5py.File(path, "a") as file:
        file["mass"] = np.arange(3.0)
        file["mass"].attrs["units"] = ["kg", "g"]
    with pytest.raises(DataError, match=r"units of mass has 2 values, expected one$"):
        read_measurements(path, Columns(parameters={"mass": "mass"}))
    with h5py.File(path, "a") as file:
        file["time"].attrs["units"] = 5
    with pytest.raises(DataError, match="units of time is 5, expected text"):
        read_measurements(path, Columns())
