"""What a file says of dimensions and storage order is read; where it says nothing sure, it is refused."""

from itertools import permutations

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from scipy.io import savemat
from trajstore.data import DataError
from trajstore.pipeline import Columns
from trajstore.pipeline.exchange.measured.reading import read_measurements

STATES = np.random.default_rng(0).standard_normal((4, 4, 4))
TIMES = np.array([0.0, 1.0, 3.0, 4.0])
MASS = np.arange(4.0)
AXES = ("trajectory", "time", "component")
CALLED = {
    "plain": AXES,
    "synonyms": ("run", "t", "variable"),
    "numbers of": ("n_members", "time", "components"),
    "one is left": ("launch", "time", "component"),
}


def states_of(path, **columns):
    """States (N, T, D) and times of each trajectory."""
    read = read_measurements(path, Columns(**columns))
    return np.stack([each.states for each in read.trajectories]), read


def write_netcdf(path, order, called, form="NETCDF4", axis=False):
    with netCDF4.Dataset(path, "w", format=form) as file:
        for name, size in zip(called, STATES.shape, strict=True):
            file.createDimension(name, size)
        dimensions = [called[AXES.index(each)] for each in order]
        file.createVariable("state", "f8", dimensions)[:] = STATES.transpose(
            [AXES.index(each) for each in order]
        )
        time = file.createVariable("clock" if axis else "time", "f8", (called[1],))
        time[:] = TIMES
        if axis:
            time.axis = "T"


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_CLASSIC"])
@pytest.mark.parametrize("called", CALLED)
def test_dimensions_are_read_by_their_names_in_any_order(tmp_path, called, form):
    for number, order in enumerate(permutations(AXES)):
        path = tmp_path / f"{number}.nc"
        write_netcdf(path, order, CALLED[called], form)
        found, read = states_of(path)
        np.testing.assert_array_equal(found, STATES)
        assert all(np.array_equal(each.time, TIMES) for each in read.trajectories)


def test_a_time_that_says_what_it_is_needs_no_name(tmp_path):
    write_netcdf(tmp_path / "a.nc", ("time", "trajectory", "component"), ("run", "moment", "q"), axis=True)
    # "q" is what is left.
    found, read = states_of(tmp_path / "a.nc")
    np.testing.assert_array_equal(found, STATES)
    assert read.time == "clock"


@pytest.mark.parametrize("order", list(permutations(("trajectory", "time"))))
def test_what_xarray_writes_is_read_with_its_coordinates(tmp_path, order):
    labels = ["x", "v"]
    places = [AXES.index(each) for each in (*order, "component")]
    table = xarray.Dataset(
        {"state": ((*order, "variable"), STATES[:3, :, :2].transpose(places))},
        coords={"time": TIMES, "variable": labels, "mass": ("trajectory", MASS[:3])},
    )  # fmt: skip
    for engine in ("h5netcdf", "netcdf4", "scipy"):
        table.to_netcdf(tmp_path / f"{engine}.nc", engine=engine)
        found, read = states_of(tmp_path / f"{engine}.nc", parameters={"m": "mass"})
        np.testing.assert_array_equal(found, STATES[:3, :, :2])
        assert list(read.components) == labels
        assert [each.parameters["m"] for each in read.trajectories] == MASS[:3].tolist()


def test_each_component_and_the_times_have_an_order_of_their_own(tmp_path):
    times = TIMES + np.arange(3)[:, None]
    table = xarray.Dataset(
        {
            "x": (("time", "run"), STATES[:3, :, 0].T),
            "v": (("run", "time"), STATES[:3, :, 1]),
            "moment": (("time", "run"), times.T),
        }
    )
    table.to_netcdf(tmp_path / "a.nc")
    found, read = states_of(tmp_path / "a.nc", components={"x": "x", "v": "v"}, time="moment")
    np.testing.assert_array_equal(found, STATES[:3, :, :2])
    np.testing.assert_array_equal([each.time for each in read.trajectories], times)


def test_times_of_each_trajectory_may_be_called_as_their_dimension(tmp_path):
    times = TIMES + np.arange(4)[:, None]
    for number, order in enumerate((("run", "time"), ("time", "run"))):
        with netCDF4.Dataset(tmp_path / f"{number}.nc", "w") as file:
            for name, size in zip(("run", "time"), (4, 4), strict=True):
                file.createDimension(name, size)
            file.createVariable("x", "f8", ("time", "run"))[:] = STATES[:, :, 0].T
            file.createVariable("time", "f8", order)[:] = times if order[0] == "run" else times.T
        found, read = states_of(tmp_path / f"{number}.nc", components={"x": "x"})
        np.testing.assert_array_equal(found[:, :, 0], STATES[:, :, 0])
        np.testing.assert_array_equal([each.time for each in read.trajectories], times)


def test_dimension_scales_and_labels_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["state"] = STATES.transpose(1, 0, 2)
        file["time"] = TIMES
        file["time"].make_scale("time")
        file["state"].dims[0].attach_scale(file["time"])
        for place, label in enumerate(("time", "trajectory", "component")):
            file["state"].dims[place].label = label
    np.testing.assert_array_equal(states_of(tmp_path / "a.h5")[0], STATES)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["state"], file["time"] = STATES, TIMES
    np.testing.assert_array_equal(states_of(tmp_path / "b.h5")[0], STATES)


@pytest.mark.parametrize(
    "called", [("a", "b", "c"), ("time", "b", "c"), ("run", "trial", "time"), ("time", "t", "run")]
)
def test_dimensions_that_are_not_known_are_refused_or_told(tmp_path, called):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for name, size in zip(called, STATES.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("state", "f8", called)[:] = STATES.transpose(1, 2, 0)
    with pytest.raises(DataError, match=f"dimensions .{called[0]}, {called[1]}, {called[2]}.*--dimensions"):
        states_of(tmp_path / "a.nc", step=1.0)
    found, _ = states_of(tmp_path / "a.nc", step=1.0, dimensions=("time", "component", "trajectory"))
    np.testing.assert_array_equal(found, STATES)


CLOCKS = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.0, (4, 4)), axis=1)


@pytest.mark.parametrize("order", list(permutations(AXES)))
def test_times_of_each_trajectory_lie_in_the_order_that_is_told(tmp_path, order):
    states = STATES.transpose([AXES.index(role) for role in order])
    turned = order.index("time") < order.index("trajectory")
    np.savez(tmp_path / "a.npz", state=states, time=CLOCKS.T if turned else CLOCKS)
    found, read = states_of(tmp_path / "a.npz", dimensions=order)
    np.testing.assert_array_equal(found, STATES)
    np.testing.assert_array_equal([each.time for each in read.trajectories], CLOCKS)


def test_times_of_each_trajectory_and_component_lie_in_the_order_that_is_told(tmp_path):
    np.savez(tmp_path / "a.npz", x=STATES[:, :, 0].T, time=CLOCKS.T)
    found, read = states_of(tmp_path / "a.npz", components={"x": "x"}, dimensions=("time", "trajectory"))
    np.testing.assert_array_equal(found[..., 0], STATES[:, :, 0])
    np.testing.assert_array_equal([each.time for each in read.trajectories], CLOCKS)


@pytest.mark.parametrize("called", [("run", "time"), ("launch", "time"), ("run", "sample")])
def test_names_of_the_dimensions_of_times_tell_more_than_the_order_of_states(tmp_path, called):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["state"] = STATES.transpose(1, 0, 2)
        file["clock"] = CLOCKS
        for dimension, name in zip(file["clock"].dims, called, strict=True):
            dimension.label = name
    _, read = states_of(tmp_path / "a.h5", time="clock", dimensions=("time", "trajectory", "component"))
    np.testing.assert_array_equal([each.time for each in read.trajectories], CLOCKS)


def test_columns_of_times_and_parameters_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", state=STATES, time=TIMES[:, None], mass=MASS[:, None], k=[[2.0]])
    for order in ((), AXES):
        found, read = states_of(tmp_path / "a.npz", parameters={"m": "mass", "k": "k"}, dimensions=order)
        np.testing.assert_array_equal(found, STATES)
        assert read.trajectories[3].time.tolist() == TIMES.tolist()
        assert [each.parameters for each in read.trajectories] == [{"m": mass, "k": 2.0} for mass in MASS]


def test_the_order_that_is_asked_for_is_one_that_is_taken(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = STATES[:, :, 0]
        for dimension, name in zip(file["x"].dims, ("a", "b"), strict=True):
            dimension.label = name
    with pytest.raises(DataError, match=r"--dimensions trajectory,time$"):
        states_of(tmp_path / "a.h5", components={"x": "x"}, step=1.0)
    states_of(tmp_path / "a.h5", components={"x": "x"}, step=1.0, dimensions=("trajectory", "time"))


def test_a_dimension_without_a_variable_gives_no_times(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for name in ("run", "time"):
            file.createDimension(name, 4)
        file.createVariable("x", "f8", ("run", "time"))[:] = STATES[:, :, 0]
    with pytest.raises(DataError, match=r"has no times.*--step.*It has x"):
        states_of(tmp_path / "a.nc", components={"x": "x"})
    _, read = states_of(tmp_path / "a.nc", components={"x": "x"}, step=0.5)
    assert read.trajectories[0].time.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert read.unused == ()


def test_a_parameter_or_time_along_another_dimension_is_refused(tmp_path):
    table = xarray.Dataset(
        {"x": (("run", "time"), STATES[:, :, 0]), "m": ("time", MASS), "start": ("run", MASS)},
        {"time": TIMES},
    )
    table.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(DataError, match=r"cannot be told|lies along"):
        states_of(tmp_path / "a.nc", components={"x": "x"}, parameters={"m": "m"})
    with pytest.raises(DataError, match="start makes the dimension run that of the time"):
        states_of(tmp_path / "a.nc", components={"x": "x"}, time="start")


@pytest.mark.parametrize("attribute", ["sample_dimension", "instance_dimension"])
def test_ragged_arrays_are_refused_by_name(tmp_path, attribute):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("trajectory", 2)
        file.createDimension("obs", 8)
        counts = file.createVariable("which", "i4", ("trajectory",) if attribute[0] == "s" else ("obs",))
        counts.setncattr(attribute, "obs" if attribute[0] == "s" else "trajectory")
        file.createVariable("time", "f8", ("obs",))[:] = np.arange(8.0)
        file.createVariable("x", "f8", ("obs",))[:] = np.arange(8.0)
    with pytest.raises(DataError, match="x is a ragged array: which says"):
        states_of(tmp_path / "a.nc", components={"x": "x"})


def write_matlab_5(path):
    savemat(path, {"state": STATES, "time": TIMES, "mass": MASS, "component": np.array(["a", "b", "c", "d"])})


def write_matlab_7(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in (("state", STATES), ("time", TIMES[None]), ("mass", MASS[:, None])):
            # The last dimension first: what MATLAB calls (4, 4, 4) of rows, HDF5 calls the reverse.
            file[name] = values.T
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
        file["component"] = np.array([[ord(letter) for letter in "abcd"]], dtype=np.uint16)
        file["component"].attrs["MATLAB_class"] = np.bytes_("char")
        file["#refs#/a"] = 1.0
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))


def write_julia(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file["state"], file["time"], file["mass"] = STATES.T, TIMES, MASS
        file["_types/00000001"] = 1.0
    with path.open("r+b") as file:
        file.write(b"HDF5-based Julia Data Format, version 0.1.1\0 (Julia 1.10.4 64-bit LE)\0")


def write_octave(path):
    with h5py.File(path, "w") as file:
        for name, values in (("state", STATES), ("time", TIMES), ("mass", MASS)):
            file.create_group(name).attrs["OCTAVE_NEW_FORMAT"] = np.uint8(1)
            file[f"{name}/type"], file[f"{name}/value"] = "matrix", values.T


def write_fortran(path):
    with path.open("wb") as file:
        np.savez(file, state=np.asfortranarray(STATES), time=TIMES, mass=MASS)


DECLARED = {
    "MATLAB 5": write_matlab_5,
    "MATLAB 7.3": write_matlab_7,
    "Julia": write_julia,
    "Octave": write_octave,
    "NPZ in the order of Fortran": write_fortran,
}


@pytest.mark.parametrize("program", DECLARED)
def test_the_storage_order_that_a_program_declares_is_undone(tmp_path, program):
    path = tmp_path / "data.mat"
    DECLARED[program](path)
    found, read = states_of(path, parameters={"m": "mass"})
    np.testing.assert_array_equal(found, STATES)
    np.testing.assert_array_equal(read.trajectories[2].time, TIMES)
    assert [each.parameters["m"] for each in read.trajectories] == MASS.tolist()
    assert list(read.components) == (list("abcd") if program == "MATLAB 5" else ["x1", "x2", "x3", "x4"])
    assert set(read.unused) <= {"component"} | {f"{name}/type" for name in ("state", "time", "mass")}


def test_r_does_not_say_its_order_and_is_asked(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["state"] = STATES.T
        file["state"].attrs["rhdf5-NA.OK"] = 1
        file["time"] = TIMES
    with pytest.raises(DataError, match=r"written by R \(rhdf5\).*--dimensions"):
        states_of(tmp_path / "a.h5")
    found, _ = states_of(tmp_path / "a.h5", dimensions=("component", "time", "trajectory"))
    np.testing.assert_array_equal(found, STATES)


def test_the_coordinate_that_names_the_components_is_used(tmp_path):
    table = xarray.Dataset(
        {"state": (("run", "time", "feature"), STATES)}, {"time": TIMES, "feature": ["a", "b", "c", "d"]}
    )
    table.to_netcdf(tmp_path / "a.nc")
    _, read = states_of(tmp_path / "a.nc")
    assert (list(read.components), read.unused) == (["a", "b", "c", "d"], ())


def test_what_was_never_written_is_no_number(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        state = file.create_dataset("state", (8, 4), "f8", chunks=(2, 4))
        state[:4] = 1.0
    with pytest.raises(DataError, match="state was written in part: 2 of 4 chunks"):
        states_of(tmp_path / "a.h5", step=1.0)
