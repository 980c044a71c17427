"""HDF5 gives a number also where none was written: it is refused, or missing, and never taken for a measurement."""

import h5py
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
