"""Files are known by what they hold: kinds that are no measurements are told by name, others are read."""

import gzip
import pickle
import zipfile

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat
from trajstore.data import DataError
from trajstore.pipeline import Columns
from trajstore.pipeline.exchange.measured.matlab_files import matlab_variables
from trajstore.pipeline.exchange.measured.reading import read_measurements

WALK = np.random.default_rng(0).standard_normal((3, 5, 2))


def archive(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, "x")

    return write


def content(data):
    return lambda path: path.write_bytes(data)


KINDS = {
    "XLSX": (archive("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook .XLSX.; save the sheet as CSV"),
    "XLS": (content(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(8)), "an Excel workbook of the old kind"),
    "ODS": (archive("mimetype", "content.xml"), "LibreOffice"),
    "zip": (archive("a.csv"), "a zip archive; unpack it"),
    "checkpoint": (archive("best/data.pkl", "best/version"), "a checkpoint of PyTorch"),
    "gzip": (content(gzip.compress(b"time,x\n")), "packed with gzip; unpack it"),
    "Parquet": (content(b"PAR1" + bytes(8)), "a Parquet file; save it as CSV"),
    "Feather": (content(b"ARROW1\0\0"), "a Feather .Arrow. file"),
    "pickle": (content(pickle.dumps({"time": [0, 1]})), "a pickle, which may run code"),
    "PNG": (content(b"\x89PNG\r\n\x1a\n"), "a picture .PNG."),
    "PDF": (content(b"%PDF-1.7\n"), "a PDF document"),
    "JSON": (content(b'{"time": [0, 1]}'), "is JSON"),
    "JSON of rows": (content(b'\xef\xbb\xbf [{"time": 0}]'), "is JSON"),
    "HTML": (content(b"<!DOCTYPE html><html>"), "HTML"),
    "UTF-16": (content("time,x\n0,1\n".encode("utf-16")), "UTF-16 text, .*; save it as UTF-8"),
    "UTF-32": (content("time,x\n0,1\n".encode("utf-32")), "UTF-32 text"),
    "Git LFS": (content(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
    "CDF-5": (content(b"CDF\x05" + bytes(8)), "CDF-5; convert it"),
    "SQLite": (content(b"SQLite format 3\0"), "an SQLite database"),
    "R": (content(b"RDX3\nX\n"), "an R workspace"),
    "nothing known": (content(b"\0\1\2\3"), "of a kind that is not known"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_files_are_told_by_name(tmp_path, kind):
    write, message = KINDS[kind]
    write(tmp_path / "data")
    with pytest.raises(DataError, match=f"data: .*{message}"):
        read_measurements(tmp_path / "data", Columns())


def test_npy_is_read_with_a_step(tmp_path):
    np.save(tmp_path / "a.npy", WALK)
    read = read_measurements(tmp_path / "a.npy", Columns(step=0.5))
    np.testing.assert_array_equal([each.states for each in read.trajectories], WALK)
    with pytest.raises(DataError, match="--step"):
        read_measurements(tmp_path / "a.npy", Columns())
    (tmp_path / "b.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-8])
    with pytest.raises(DataError, match="cannot be read"):
        read_measurements(tmp_path / "b.npy", Columns(step=0.5))
    np.save(tmp_path / "c.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        read_measurements(tmp_path / "c.npy", Columns(step=0.5))


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_5_is_read_without_what_is_no_array(tmp_path, packed):
    cells = np.array([["a", 1.0]], dtype=object)
    savemat(
        tmp_path / "a.mat",
        {"state": WALK, "time": np.arange(5.0), "table": {"a": 1.0}, "cells": cells},
        do_compression=packed,
    )
    read = read_measurements(tmp_path / "a.mat", Columns())
    np.testing.assert_array_equal([each.states for each in read.trajectories], WALK)
    assert set(read.unused) == {"table", "cells"}
    with pytest.raises(DataError, match=r"a\.mat: table is a struct, which is not read; save its fields"):
        read_measurements(tmp_path / "a.mat", Columns(state="table"))


def test_a_matlab_file_of_a_struct_alone_says_so(tmp_path):
    savemat(tmp_path / "a.mat", {"data": {"state": WALK, "time": np.arange(5.0)}})
    with pytest.raises(DataError, match=r"a\.mat: data is a struct, which is not read; save its fields"):
        read_measurements(tmp_path / "a.mat", Columns())


def matlab_7(path, texts=(), **classes):
    """States, times, and what else, as MATLAB 7.3 writes them; `texts` become a cell array `component`."""
    with h5py.File(path, "w") as file:
        for name, values in (("state", WALK), ("time", np.arange(5.0)[:, None])):
            file[name] = values.T.astype("u1") if name in classes else values.T
            file[name].attrs["MATLAB_class"] = np.bytes_(classes.get(name, "double"))
        if texts:
            cells = [
                file.create_dataset(f"#refs#/{text}", data=np.array([[ord(each)] for each in text], "u2"))
                for text in texts
            ]
            for cell in cells:
                cell.attrs["MATLAB_class"] = np.bytes_("char")
            file["component"] = np.array([[cell.ref] for cell in cells], dtype=h5py.ref_dtype)
            file["component"].attrs["MATLAB_class"] = np.bytes_("cell")


def test_names_of_components_in_cells_are_read_from_both_kinds_of_matlab_files(tmp_path):
    names = np.array(["position", "v"], dtype=object)
    savemat(tmp_path / "a.mat", {"state": WALK, "time": np.arange(5.0), "component": names})
    savemat(
        tmp_path / "b.mat", {"state": WALK, "time": np.arange(5.0), "component": names}, do_compression=True
    )
    matlab_7(tmp_path / "c.mat", tuple(names))
    for name in ("a.mat", "b.mat", "c.mat"):
        read = read_measurements(tmp_path / name, Columns())
        assert list(read.components) == ["position", "v"]
        assert read.unused == ()


def test_truth_values_and_objects_of_both_kinds_of_matlab_files_are_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"state": WALK > 0, "time": np.arange(5.0)})
    matlab_7(tmp_path / "b.mat", state="logical")
    matlab_7(tmp_path / "c.mat", state="string")
    for name, message in (("a", "truth values"), ("b", "truth values"), ("c", "state is a string of MATLAB")):
        with pytest.raises(DataError, match=message):
            read_measurements(tmp_path / f"{name}.mat", Columns())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_matlab_5_gives_the_numbers_that_scipy_gives(tmp_path, dtype, packed):
    generator = np.random.default_rng(1)
    shapes = ((3,), (2, 3), (2, 3, 4))
    values = {f"v{len(shape)}": generator.integers(0, 100, shape).astype(dtype) for shape in shapes}
    savemat(tmp_path / "a.mat", {"one": np.array([[1.0]], dtype), **values}, do_compression=packed)
    expected = loadmat(tmp_path / "a.mat", squeeze_me=True)
    found = matlab_variables(tmp_path / "a.mat")
    assert set(found) == {"one", *values}
    for name in values:
        np.testing.assert_array_equal(found[name].read(), expected[name])
        assert found[name].read().dtype == dtype
    assert found["one"].read().tolist() == [1.0]


def test_matlab_5_of_what_is_no_measurement_is_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"z": np.array([1j, 2.0]), "b": np.array([True, False])})
    for name, message in (("z", "complex numbers"), ("b", "truth values")):
        with pytest.raises(DataError, match=message):
            read_measurements(tmp_path / "a.mat", Columns(state=name, step=1.0))


def test_a_matlab_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("trajstore.pipeline.exchange.measured.matlab_files.FREE_UNPACKING", 1 << 16)
    savemat(tmp_path / "a.mat", {"state": np.zeros((4, 10_000, 1))}, do_compression=True)
    with pytest.raises(DataError, match="unpacks to too many bytes"):
        read_measurements(tmp_path / "a.mat", Columns(step=1.0))


def test_lzf_is_read_and_other_filters_are_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("state", data=WALK, compression="lzf")
        file.create_dataset("scaled", data=np.arange(15).reshape(3, 5), scaleoffset=0)
    read = read_measurements(tmp_path / "a.h5", Columns(step=1.0))
    np.testing.assert_array_equal([each.states for each in read.trajectories], WALK)
    with pytest.raises(DataError, match=r"not trusted: scaleoffset; .*h5repack"):
        read_measurements(tmp_path / "a.h5", Columns(step=1.0, state="scaled"))


STO = "Coordinates\nversion=1\nnRows=3\nnColumns=3\ninDegrees=yes\nendheader\n"
TRC = (
    "PathFileType\t4\t(X/Y/Z)\twalk.trc\nDataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\n"
    "60\t60\t3\t2\tmm\nFrame#\tTime\thip\t\t\tknee\t\t\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n\n"
)


def test_opensim_is_read(tmp_path):
    (tmp_path / "a.sto").write_text(STO + "time\thip\tknee\n0.0\t1\t2\n0.1\t3\t4\n0.2\t5\t6\n")
    read = read_measurements(tmp_path / "a.sto", Columns())
    assert list(read.components) == ["hip", "knee"]
    assert read.trajectories[0].states.tolist() == [[1, 2], [3, 4], [5, 6]]
    frames = "1\t0.0\t1\t2\t3\t4\t5\t6\n2\t0.1\t1\t2\t3\t\t\t\n3\t0.2\t1\t2\t3\t4\t5\t6\t\n"
    (tmp_path / "a.trc").write_text(TRC + frames)
    read = read_measurements(tmp_path / "a.trc", Columns())
    assert list(read.components) == ["hip_x", "hip_y", "hip_z", "knee_x", "knee_y", "knee_z"]
    assert read.trajectories[0].time.tolist() == [0.0, 0.1, 0.2]
    assert np.isnan(read.trajectories[0].states[1, 3:]).all()
    assert read.trajectories[0].states[2].tolist() == [1, 2, 3, 4, 5, 6]
    (tmp_path / "b.sto").write_text(STO + "time\thip\n0.0\t1\n0.1\tfoo\n")
    with pytest.raises(DataError, match="line 9: hip is 'foo'"):
        read_measurements(tmp_path / "b.sto", Columns())


@pytest.mark.parametrize("delimiter", [" ", "   ", " \t "])
def test_white_space_may_part_the_cells(tmp_path, delimiter):
    rows = [["time", "x"], ["0", "1,5"], ["1", "2,5"]]
    (tmp_path / "a.txt").write_text("\n".join(f"  {delimiter.join(row)} " for row in rows) + "\n")
    read = read_measurements(tmp_path / "a.txt", Columns())
    assert read.trajectories[0].states[:, 0].tolist() == [1.5, 2.5]
    (tmp_path / "b.txt").write_text("x (in cm)\n1\n2\n")
    read = read_measurements(tmp_path / "b.txt", Columns(step=1.0))
    assert read.components == {"x": "x (in cm)"}


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("Year,Hare\n1900,30\n1901,47\n", {}, "has no times.*It has Year, Hare"),
        ("time,hare\n0,1\n1,2\n", {"components": {"x": "hares"}}, "it has time, hare. Did you mean hare?"),
        ("time,x\n0,1\n1,2\n1,3\n", {}, "line 4: the times of trajectory 0 do not increase: 1 after 1"),
        ("# a\ntime,x\n0,1\n\n2,2\n1.5,3\n", {}, "line 6: .* do not increase: 1.5 after 2"),
        (
            "run,time,x\na,0,1\nb,0,1\na,,2\n",
            {"trajectory": "run"},
            "line 4: .* do not increase: nan after 0",
        ),
        ("0.0 1.0\n0.1 1.1\n", {}, "expected a header"),
        ("", {}, "a.csv: is empty; expected a header"),
        ("\n \n", {}, "a.csv: is empty; expected a header"),
        (
            "time,x\n0,1\n1,2\n0,1\n",
            {},
            "line 4: .* 0 after 1; of trajectories that follow .* --trajectory NAME",
        ),
        ("run,time,x\na,0,1\na,1,2\na,0,2\n", {"trajectory": "run"}, "0 after 1$"),
        ("time,x,gait\n0,1,walk\n", {}, "line 2: gait is 'walk', .* --trajectory 'gait' .* --components"),
        ("time,x\n0,1.5%\n", {}, "line 2: x is '1.5%', expected a number; write it without the sign %$"),
    ],
)
def test_messages_say_which_column_and_which_line(tmp_path, text, columns, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_measurements(tmp_path / "a.csv", Columns(**columns))


def test_names_of_columns_go_without_their_units_where_that_tells_them_apart(tmp_path):
    (tmp_path / "a.csv").write_text("t [s],x [m],v (m/s),T [K],T [C],y\n0,1,2,3,4,5\n1,2,3,4,5,6\n")
    read = read_measurements(tmp_path / "a.csv", Columns())
    assert read.time == "t [s]"
    assert read.components == {"x": "x [m]", "v": "v (m/s)", "T [K]": "T [K]", "T [C]": "T [C]", "y": "y"}
    assert read.units == {"x": "m", "v": "m/s", "T [K]": "K", "T [C]": "C"}


def test_messages_say_which_sample_of_an_array(tmp_path):
    np.savez(tmp_path / "a.npz", states=WALK, time=[0.0, 1.0, 2.0, 2.0, 3.0])
    with pytest.raises(DataError, match=r"sample 3 .*: the times of trajectory 0 do not increase: 2 after 2"):
        read_measurements(tmp_path / "a.npz", Columns())
    np.savez(tmp_path / "b.npz", states=WALK, time=[0.0, 1.0, 2.0, 0.0, 1.0])
    with pytest.raises(
        DataError, match=r"0 after 2; of trajectories that follow one another, give each a place"
    ):
        read_measurements(tmp_path / "b.npz", Columns())
    with pytest.raises(DataError, match=r"no variable 'sates'; it has states, time\. Did you mean states?"):
        read_measurements(tmp_path / "a.npz", Columns(state="sates"))


@pytest.mark.parametrize("name", ["Time", "TIME", "time [s]", "Time (s)"])
def test_times_by_the_names_that_programs_give_them(tmp_path, name):
    (tmp_path / "a.csv").write_text(f"{name},x\n0,1\n1,2\n")
    read = read_measurements(tmp_path / "a.csv", Columns())
    assert read.time == name
    assert list(read.components) == ["x"]
    assert str(read.unit) == ("s" if "s" in name[4:] else "None")
