"""What files of measurements hold is read as other programs read it, counted, and named where it cannot be used."""

import h5py
import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat
from trajstore.data import load_manifest, verify
from trajstore.pipeline.cli.main import main

ALL_TO_TRAIN = ("--validation", 0, "--test", 0)
# name -> dtype, what is stored, attributes
PACKED = {
    "scaled": ("i2", [[5, -7, -999, 3]], {"_FillValue": np.int16(-999), "scale_factor": 0.5, "add_offset": 10.0}),
    "scaled_single": ("i2", [[5, -7, 2, 3]], {"scale_factor": np.float32(0.1)}),
    "filled": ("f8", [[1.5, -1.0, 2.5, 3.5]], {"_FillValue": -1.0}),
    "missing": ("f4", [[1.5, 2.5, 1e20, 3.5]], {"missing_value": np.float32(1e20)}),
    "several": ("i4", [[1, -8, -9, 3]], {"missing_value": np.array([-8, -9], dtype="i4")}),
    "ranged": ("f8", [[1.5, 2.5, 99.0, 3.5]], {"valid_range": np.array([0.0, 50.0])}),
    "bounded": ("i4", [[1, 2, 99, -3]], {"valid_min": np.int32(0), "valid_max": np.int32(50)}),
    "never_written": ("f8", [[1.5, netCDF4.default_fillvals["f8"], 2.5, 3.5]], {}),
    "plain": ("i4", [[4, 3, 2, 1]], {}),
}  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def imported(folder, name="train-00000.h5"):
    with h5py.File(folder / name) as file:
        return file["state"][()], file["status"][()]


@pytest.mark.parametrize("form", ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF4"])
@pytest.mark.parametrize("name", PACKED)
def test_packed_and_missing_numbers_are_those_that_netcdf4_reads(tmp_path, form, name):
    dtype, stored, attributes = PACKED[name]
    stored = [*stored, [1, 2, 3, 4]]
    with netCDF4.Dataset(tmp_path / "data.nc", "w", format=form) as file:
        file.createDimension("run", 2)
        file.createDimension("time", 4)
        file.createVariable("time", "f8", ("time",))[:] = np.arange(4.0)
        variable = file.createVariable("x", dtype, ("run", "time"), fill_value=attributes.get("_FillValue"))
        variable.setncatts({key: value for key, value in attributes.items() if key != "_FillValue"})
        variable.set_auto_maskandscale(False)
        variable[:] = np.array(stored, dtype=dtype)
    with netCDF4.Dataset(tmp_path / "data.nc") as file:
        expected = np.ma.masked_array(file.variables["x"][...])
    done = run("import", tmp_path / "data.nc", "--components", "x", "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert done.exit_code == 0, done.output
    assert verify(tmp_path / "out") == []
    state, status = imported(tmp_path / "out")
    gaps = np.ma.getmaskarray(expected).any(axis=1)
    assert gaps.tolist() == [name not in ("plain", "scaled_single"), False]
    assert status.tolist() == [4 if gap else 0 for gap in gaps]
    np.testing.assert_array_equal(state[~gaps, :, 0], np.ma.getdata(expected)[~gaps])
    assert np.isnan(state[gaps]).all()


@pytest.mark.parametrize("last", [3, -1])
def test_unsigned_numbers_are_those_that_netcdf4_reads(tmp_path, last):
    with netCDF4.Dataset(tmp_path / "data.nc", "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("time", 4)
        file.createVariable("time", "f8", ("time",))[:] = np.arange(4.0)
        variable = file.createVariable("x", "i1", ("time",), fill_value=np.int8(-1))
        variable.setncattr("_Unsigned", "true")
        variable.set_auto_maskandscale(False)
        variable[:] = np.array([-2, -100, 1, last], dtype="i1")
    with netCDF4.Dataset(tmp_path / "data.nc") as file:
        expected = file.variables["x"][...].tolist()
    run("import", tmp_path / "data.nc", "--components", "x", "--out", tmp_path / "out", *ALL_TO_TRAIN)
    state, status = imported(tmp_path / "out")
    assert expected == [254, 156, 1, None if last == -1 else 3]
    assert status.tolist() == [4 if None in expected else 0]
    assert status[0] or state[0, :, 0].tolist() == expected


def test_what_pieces_leave_over_is_counted(tmp_path):
    lines = ["run,time,x,note"]
    for number, samples in enumerate([70, 95, 100, 20, 10, 12]):
        lines += [f"{number},{0.5 * sample},{np.sin(number + sample)!r},hm" for sample in range(samples)]
    (tmp_path / "data.csv").write_text("\n".join(lines).replace("np.float64(", "").replace(")", "") + "\n")
    done = run(
        "import", tmp_path / "data.csv", "--trajectory", "run", "--length", 30, "--components", "x",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert "left out: 3 trajectories shorter than 30 samples, 25 samples at ends\n" in done.stdout
    derived = load_manifest(tmp_path / "out").config["derived"]
    assert derived["arguments"]["left_out"] == {"trajectories": 3, "samples": 25}
    rows = sum(split.trajectories for split in load_manifest(tmp_path / "out").splits.values())
    assert rows * 30 + 25 + (20 + 10 + 12) == 70 + 95 + 100 + 20 + 10 + 12


def test_nothing_left_over_is_nothing_said(tmp_path):
    np.savez(tmp_path / "data.npz", state=np.sin(np.arange(60.0)), time=np.arange(60.0))
    arguments = ["--length", 20, "--out", tmp_path / "out", *ALL_TO_TRAIN]
    done = run("import", tmp_path / "data.npz", *arguments)
    assert "left out" not in done.stdout
    assert "left_out" not in load_manifest(tmp_path / "out").config["derived"]["arguments"]


WALK = np.random.default_rng(3).standard_normal((4, 5, 1))


def save(path, states=WALK, **arrays):
    np.savez(path, **{"state": states, "time": np.arange(float(states.shape[1])), **arrays})
    return path


def test_a_trajectory_may_not_occur_twice(tmp_path):
    once, other = save(tmp_path / "a.npz"), save(tmp_path / "b.npz", WALK[2:3], time=7.0 + np.arange(5.0))
    for files, message in (
        ([once, once], "4 trajectories occur twice: trajectory"),
        (
            [once, other],
            f"1 trajectory occurs twice: trajectory 0 of {other} is trajectory 2 of {once} again",
        ),
        ([save(tmp_path / "c.npz", WALK[[0, 1, 0]])], "trajectory 2 of"),
    ):
        done = run("import", *files, "--out", tmp_path / "out")
        assert done.exit_code == 2
        assert message in done.stderr
    # The same states under other parameters, and what rests, are no copies.
    still = save(tmp_path / "still.npz", np.zeros((3, 5, 1)), m=np.ones(3))
    same = save(tmp_path / "same.npz", WALK[[0, 0]], m=np.arange(2.0))
    done = run("import", still, same, "--parameters", "m", "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert "5 train" in done.stdout, done.output


def test_rows_with_gaps_are_not_taken_for_copies_when_merged(tmp_path):
    states = WALK.copy()
    states[:, 0] = 0.0
    states[1:3, 2] = np.nan
    for name, some in (("a", states), ("b", states + np.sign(np.arange(5.0))[:, None])):
        save(tmp_path / f"{name}.npz", some)
        done = run("import", tmp_path / f"{name}.npz", "--out", tmp_path / name, *ALL_TO_TRAIN)
        assert done.exit_code == 0, done.output
    done = run("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "both")
    assert done.exit_code == 0, done.output


def test_a_number_too_large_for_float32_is_refused_and_not_stored_as_sound(tmp_path):
    states = WALK.copy()
    states[1, 2, 0] = 1e300
    save(tmp_path / "data.npz", states)
    done = run("import", tmp_path / "data.npz", "--dtype", "float32", "--out", tmp_path / "a")
    assert done.exit_code == 2
    assert (
        "data.npz: x1 of trajectory 1 is 1e+300, more than float32 holds; say --dtype float64" in done.stderr
    )
    states[1, 2, 0] = np.inf
    save(tmp_path / "data.npz", states)
    done = run("import", tmp_path / "data.npz", "--dtype", "float32", "--out", tmp_path / "a", *ALL_TO_TRAIN)
    assert imported(tmp_path / "a")[1].tolist() == [0, 4, 0, 0]
    assert verify(tmp_path / "a") == []


@pytest.mark.parametrize("value", [1e-50, 1.234567e-42])
def test_a_number_too_small_for_float32_is_refused(tmp_path, value):
    states = WALK.copy()
    states[1, 2, 0] = value
    save(tmp_path / "data.npz", states)
    done = run("import", tmp_path / "data.npz", "--dtype", "float32", "--out", tmp_path / "a")
    message = (
        f"data.npz: x1 of trajectory 1 is {value}, which float32 would hold as {np.float32(value)!s}; say"
    )
    assert (done.exit_code, message in done.stderr) == (2, True), done.output
    # What float32 holds as it holds any other number, and zeros, are no such numbers.
    states[1, 2, 0], states[1, 3, 0] = np.float32(1.235e-42), 0.0
    save(tmp_path / "data.npz", states)
    done = run("import", tmp_path / "data.npz", "--dtype", "float32", "--out", tmp_path / "a", *ALL_TO_TRAIN)
    assert done.exit_code == 0, done.output


def test_the_command_says_what_became_what(tmp_path):
    (tmp_path / "data.csv").write_text("run,time,pos (cm),v,mass,note\n0,0,1,2,5,hm\n0,1,2,2,5,hm\n")
    done = run(
        "import", tmp_path / "data.csv", "--trajectory", "run", "--components", "x=pos (cm),v",
        "--parameters", "mass", "--out", tmp_path / "a", *ALL_TO_TRAIN,
    )  # fmt: skip
    said = "state: x = pos (cm), v; time: time; trajectories by: run; parameters: mass; not used: note"
    assert done.stdout.splitlines()[1:] == [said]
    np.savez(tmp_path / "data.npz", state=WALK, component=["q"], other=np.zeros(3))
    done = run("import", tmp_path / "data.npz", "--step", 0.25, "--out", tmp_path / "b", *ALL_TO_TRAIN)
    assert done.stdout.splitlines()[1:] == ["state: q of state; time: every 0.25; not used: other"]


TABLES = {
    "row numbers of pandas": (",time,x\n0,0,1\n1,1,2\n", []),
    "row numbers of pandas, read back": ("Unnamed: 0,time,x\n0,0,1\n1,1,2\n", []),
    "comments before the header": ("# lab 3\n\n#\ntime,x\n0,1\n1,2\n", []),
    "decimal commas": ("time;x\n0,0;1,0\n1;2\n", []),
    "decimal commas and exponents": ("time\tx\n0,0\t10,0e-1\n1\t,2E+1\n", []),
    "a comma in a name": ('time,"x, cm"\n0,1\n1,2\n', ["--components", '"x=x, cm"']),
    "PK": ("PK,time\n1,0\n2,1\n", ["--components", "x=PK"]),
    "a state called t": ("time,t\n0,1\n1,2\n", ["--components", "x=t"]),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_of_other_programs_are_read(tmp_path, case):
    text, arguments = TABLES[case]
    (tmp_path / "data.csv").write_text(text)
    done = run("import", tmp_path / "data.csv", "--out", tmp_path / "out", *arguments, *ALL_TO_TRAIN)
    assert done.exit_code == 0, done.output
    assert imported(tmp_path / "out")[0].tolist() == [[[1.0], [2.0]]]
    assert load_manifest(tmp_path / "out").components == ["x"]


@pytest.mark.parametrize("word", ["", "NA", "n/a", "N/A", "null", "NULL", "nan", "NaN", " ", "inf"])
def test_words_for_a_gap(tmp_path, word):
    (tmp_path / "data.csv").write_text(f"time,x\n0,{word}\n1,2\n")
    done = run("import", tmp_path / "data.csv", "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert done.exit_code == 0, done.output
    assert imported(tmp_path / "out")[1].tolist() == [4]
    assert verify(tmp_path / "out") == []


def table(text):
    return lambda path: path.write_bytes(text.encode() if isinstance(text, str) else text)


def arrays(**named):
    def write(path):
        with path.open("wb") as file:
            np.savez(file, **named)

    return write


def hdf5(**attributes):
    def write(path):
        with h5py.File(path, "w") as file:
            file["state"] = np.zeros((3, 4))
            file["state"].attrs.update(attributes)
            file["time"] = np.arange(3.0)

    return write


TIMES = np.arange(4.0)
REFUSED = {
    "a folder": (lambda path: path.mkdir(), [], "is a folder"),
    "Latin-1": (table(b"time,x\xe9\n0,1\n"), [], "save it as UTF-8"),
    "UTF-16": (table("time,x\n0,1\n".encode("utf-16")), [], "save it as UTF-8"),
    "an underscore": (table("time,x\n0,1_0\n"), [], "line 2: x is '1_0', expected a number"),
    "a thousand": (table('time,x\n0,"1,000"\n'), [], "line 2: x is '1,000', expected a number"),
    "two decimal signs": (table("time;x\n0;1,5\n1;2.5\n"), [], "numbers like '1,5' and '2.5'"),
    "a comment before a bad line": (table("#\ntime,x\n0,1\n1,a\n"), [], "line 4: x is 'a'"),
    "comments alone": (table("# time,x\n"), [], "line 1: expected a header"),
    "a column without a name": (table("time,x,\n0,1,2\n"), [], "column 3 has no name"),
    "no state": (table("time\n0\n"), [], "no column is left for the state"),
    "--state of a table": (table("time,x\n0,1\n"), ["--state", "x"], "is for arrays"),
    "a parameter that is missing": (table("time,x,m\n0,1,\n1,1,\n"), ["--parameters", "m"], "parameter m"),
    "an infinite time": (table("time,x\n0,1\ninf,2\n"), [], "do not increase"),
    "times and a step": (table("time,x\n0,1\n1,2\n"), ["--step", 1], "leave out --step"),
    "times and a step of arrays": (arrays(state=WALK, t=np.arange(5.0)), ["--step", 1], "leave out --step"),
    "shares": (table("time,x\n0,1\n1,2\n"), ["--test", 0.5, "--validation", 0.5], "leave nothing for train"),
    "one piece": (table("time,x\n0,1\n1,2\n"), ["--split-by", "time"], "1 piece cannot be split"),
    "names twice": (table("time,x\n0,1\n"), ["--components", "x,x"], "'x' occurs twice"),
    "no trajectories": (arrays(state=np.zeros((0, 4, 1)), time=TIMES), [], "shape (0, 4, 1)"),
    "no samples": (arrays(state=np.zeros((2, 0, 1)), time=TIMES[:0]), [], "shape (2, 0, 1)"),
    "no components": (arrays(state=np.zeros((2, 4, 0)), time=TIMES), [], "shape (2, 4, 0)"),
    "a row of arrays": (arrays(state=WALK, time=TIMES), ["--trajectory", "run"], "is for tables"),
    "components alike": (arrays(state=np.zeros((2, 4, 2)), component=["a", "a"]), ["--step", 1], "the same name"),
    "a fill value that is none": (hdf5(_FillValue="none"), [], "data: _FillValue of state is 'none'"),
    "two scales": (hdf5(scale_factor=[1.0, 2.0]), [], "data: scale_factor of state has 2 values"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_one_clear_message(tmp_path, case):
    make, arguments, message = REFUSED[case]
    make(tmp_path / "data")
    done = run("import", tmp_path / "data", "--out", tmp_path / "out", *arguments)
    assert (done.exit_code, message in done.stderr) == (2, True), done.output
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_groups_that_hold_themselves_are_walked_once(tmp_path, time_limit):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        lab = file.create_group("lab")
        for number in range(40):
            lab[f"again{number}"] = lab
            lab[f"root{number}"] = file
        lab["x"] = WALK[:, :, 0]
        lab["t"] = np.arange(5.0)
    arguments = ["--components", "x=lab/x", "--time", "lab/t", "--out", tmp_path / "out", *ALL_TO_TRAIN]
    with time_limit(10):
        done = run("import", tmp_path / "data.h5", *arguments)
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(imported(tmp_path / "out")[0], WALK)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["npz", "compressed", "netcdf", "matlab", "npy"])
def test_damaged_files_are_messages(tmp_path, form):
    path = tmp_path / "data"
    if form == "netcdf":
        with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
            file.createDimension("run", None)
            file.createDimension("time", 5)
            file.createVariable("state", "f8", ("run", "time"))[:] = WALK[:, :, 0].T.reshape(4, 5)
            file.createVariable("time", "f8", ("time",))[:] = np.arange(5.0)
    elif form == "matlab":
        savemat(path, {"state": WALK, "time": np.arange(5.0)}, appendmat=False, do_compression=True)
    elif form == "npy":
        with path.open("wb") as file:
            np.save(file, WALK)
    else:
        with path.open("wb") as file:
            (np.savez if form == "npz" else np.savez_compressed)(file, state=WALK, time=np.arange(5.0))
    sound = path.read_bytes()
    generator = np.random.default_rng(0)
    codes = set()
    for number in range(60):
        damaged = bytearray(sound)
        for place in generator.integers(0, len(sound), generator.integers(1, 5)):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged[: generator.integers(1, len(sound))] if number % 4 == 0 else damaged)
        done = run("import", path, "--out", tmp_path / f"out{number}", *ALL_TO_TRAIN)
        assert done.exit_code in (0, 2), done.exception
        codes.add(done.exit_code)
    assert 2 in codes
