"""HDF5 gives a number also where none was written: it is refused, or missing, and never taken for a measurement."""

import h5py
import netCDF4
import numpy as np
import pytest
from trajstore.data import DataError
from trajstore.pipeline import Columns
from trajstore.pipeline.exchange.measured.reading import read_measurements

WALK = np.random.default_rng(0).standard_normal((3, 5, 2))


FILLS = {
    "contiguous": ({}, [], "state was never written"),
    "chunked": ({"chunks": (1, 5, 2)}, [], "state was never written"),
    "contiguous with a fill value": ({"fillvalue": -1.0}, [], "state was never written"),
    "a part": ({"chunks": (1, 5, 2)}, [0], "state was written in part: 1 of 3 chunks"),
    "a part of what is filled with zeros": (
        {"chunks": (1, 5, 2), "fillvalue": 0.0},
        [0],
        "state was written in part: 1 of 3 chunks",
    ),
}


@pytest.mark.parametrize("case", FILLS)
def test_what_was_never_written_is_refused_however_it_is_stored(tmp_path, case):
    made, written, message = FILLS[case]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        state = file.create_dataset("state", (3, 5, 2), "f8", **made)
        for row in written:
            state[row] = WALK[0]
    with pytest.raises(DataError, match=f"a.h5: {message}"):
        read_measurements(tmp_path / "a.h5", Columns(step=1.0))


@pytest.mark.parametrize("dtype", ["f8", "f4", "i4"])
@pytest.mark.parametrize("made", [{}, {"chunks": (1, 5, 2)}, {"chunks": (3, 5, 2)}])
def test_the_fill_value_that_hdf5_was_given_is_missing(tmp_path, dtype, made):
    states = (100 * WALK[:3]).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        state = file.create_dataset("state", (3, 5, 2), dtype, fillvalue=-999, **made)
        state[:2] = states[:2]
        state[0, 3, 1] = 0
    read = read_measurements(tmp_path / "a.h5", Columns(step=1.0))
    states[0, 3, 1] = 0
    np.testing.assert_array_equal([each.states for each in read.trajectories[:2]], states[:2])
    assert np.isnan(read.trajectories[2].states).all()


def test_a_zero_is_a_number_also_where_zeros_fill(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("state", data=np.zeros((2, 5, 2)), fillvalue=0.0, chunks=(1, 5, 2))
    read = read_measurements(tmp_path / "a.h5", Columns(step=1.0))
    assert not np.any([each.states for each in read.trajectories])


def packed(path, values, **attributes):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", len(values))
        file.createVariable("time", "f8", ("time",))[:] = np.arange(len(values))
        variable = file.createVariable("x", values.dtype, ("time",))
        variable.set_auto_maskandscale(False)
        variable.setncatts(attributes)
        variable[:] = values
    (trajectory,) = read_measurements(path, Columns(components={"x": "x"})).trajectories
    return trajectory.states[:, 0]


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("given", ["factor", "shift", "both", "a real shift"])
def test_whole_numbers_that_pack_whole_ones_do_not_overflow(tmp_path, dtype, given):
    kind, generator = np.iinfo(dtype), np.random.default_rng(0)
    size = min(kind.max, 2**40)
    values = generator.integers(max(kind.min, -size) + 2, size - 2, 9, dtype=dtype)
    one = np.dtype(dtype).type(100)
    factor = 1 if given == "shift" else 100
    shift = {"factor": 0, "a real shift": 0.5}.get(given, 100)
    attributes = {} if given == "shift" else {"scale_factor": one}
    attributes |= {"add_offset": np.float64(0.5) if given == "a real shift" else one} if shift else {}
    found = packed(tmp_path / "a.nc", values, **attributes)
    assert found.tolist() == [int(value) * factor + shift for value in values]


def test_a_whole_number_that_is_unpacked_beyond_float64_is_refused(tmp_path):
    values = np.array([1, 2**52 + 1, 3])
    with pytest.raises(DataError, match=rf"a.nc: x holds {3 * (2**52 + 1)}, which no float64 is"):
        packed(tmp_path / "a.nc", values, scale_factor=np.int64(3))
    found = packed(tmp_path / "b.nc", values, scale_factor=np.int64(2**20))
    assert [int(value) for value in found] == [value * 2**20 for value in values.tolist()]


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("key", ["valid_range", "valid_min", "valid_max"])
def test_a_valid_range_speaks_of_the_numbers_of_its_own_type(tmp_path, real, key):
    """NetCDF User's Guide: of the unpacked ones where it has their type, of the packed ones where it has theirs."""
    values = np.array([-5000, -1000, 0, 1000, 5000], dtype="i2")
    meant = {"valid_range": np.array([-10, 10], real), "valid_min": real(-10), "valid_max": real(10)}[key]
    stored = np.asarray(np.round(meant * 100)).astype("i2")[()]
    missing = {"valid_min": [0], "valid_max": [4], "valid_range": [0, 4]}[key]
    for number, bounds in enumerate((meant, stored)):
        found = packed(tmp_path / f"{number}.nc", values, scale_factor=real(0.01), **{key: bounds})
        assert np.flatnonzero(np.isnan(found)).tolist() == missing
