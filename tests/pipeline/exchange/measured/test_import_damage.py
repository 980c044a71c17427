"""Damaged files with dimension scales: refused, or imported as they say; never a crash, a hang, or a guess."""

import h5py
import numpy as np
import pytest
from fuzz_imports import BAD, REFUSED, SAME, STATES, STORED, WRITERS, imported_by_child, run_cases
from trajstore.data import DataError
from trajstore.pipeline import Columns
from trajstore.pipeline.exchange.measured.reading import read_measurements

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", WRITERS)
def test_the_whole_files_are_imported(tmp_path, name):
    WRITERS[name](tmp_path / "data.h5")
    assert imported_by_child(tmp_path / "data.h5", tmp_path / "out") == (SAME, "")


def test_damage_is_refused_or_does_no_harm():
    found = run_cases(range(120))
    assert [case for case in found if case.outcome in BAD] == []
    assert {REFUSED, SAME} <= {case.outcome for case in found}


@pytest.mark.parametrize("reserved", [b"\0\0\0", b"\0\1\0"])
@pytest.mark.parametrize("name", ["HDF5, scales", "HDF5, labels"])
def test_a_heap_that_does_not_advance_is_refused_wherever_it_lies(tmp_path, name, reserved):
    """In files of later versions of HDF5 a heap may begin at any offset; nobody looks at its reserved bytes."""
    path = tmp_path / "data.h5"
    WRITERS[name](path)
    content = bytearray(path.read_bytes())
    at = content.index(b"GCOL\1")
    content[at + 5 : at + 8] = reserved
    content[at + 16 : at + 32] = bytes(16)
    path.write_bytes(content)
    outcome, said = imported_by_child(path, tmp_path / "out")
    assert (outcome, said) == (REFUSED, f"{path}: is damaged: the texts in it cannot be read")


def test_a_variable_that_does_not_answer_its_dimensions_is_refused(tmp_path):
    path = tmp_path / "data.h5"
    WRITERS["HDF5, scales"](path)
    with h5py.File(path, "r+") as file:
        del file["state"].attrs["DIMENSION_LIST"]
    with pytest.raises(
        DataError, match=r"state, of shape \(4, 4, 4\), does not say that \w+ is a dimension of it"
    ):
        read_measurements(path, Columns())
    said = read_measurements(path, Columns(dimensions=STORED))
    np.testing.assert_array_equal(np.stack([each.states for each in said.trajectories]), STATES)


def test_scales_of_what_was_deleted_stand_against_nothing(tmp_path):
    path = tmp_path / "data.h5"
    WRITERS["HDF5, scales"](path)
    with h5py.File(path, "r+") as file:
        file["other"] = np.zeros((4, 4))
        file["other"].dims[0].attach_scale(file["time"])
        del file["other"]
    assert imported_by_child(path, tmp_path / "out") == (SAME, "")
