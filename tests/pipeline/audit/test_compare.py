"""Stored rows beside what is expected: what is no number matches nothing, and what is hidden accuses nobody."""

import numpy as np
import pytest
from trajstore.data import Status, read_shard
from trajstore.pipeline import generate, get_system, reintegrate
from trajstore.pipeline.audit.allowance import Expected
from trajstore.pipeline.audit.compare import compare
from trajstore.pipeline.audit.growth import Errors
from trajstore.pipeline.audit.reference import Reference

FILE = "train-00001.h5"


class Told:
    """An allowance of one row: these values, off by no more than so much."""

    tells_state = True

    def __init__(self, values, allowed):
        self._expected = Expected(values, np.broadcast_to(allowed, values.shape), np.ones(values.shape))

    def of(self, index):
        return {"state": self._expected}


def row_beside(shard, values, allowed, status=Status.OK):
    """What comes of the first row of a shard, of which these values (T, D) are expected."""
    errors = Errors(*(np.zeros((1, *values.shape)) for _ in range(3)), None, [[]])
    solved = Reference(("none",), values[None], np.empty((1, 0)), np.array([status], np.int8), errors)
    found = compare(
        shard, np.array([0]), {"tolerance": 1e-9}, get_system("van-der-pol"), solved, Told(values, allowed)
    )
    ((row, compared),) = found
    assert row == 0
    return compared


@pytest.fixture
def shard(small_dataset):
    return read_shard(small_dataset / FILE)


def test_a_row_that_is_as_expected_is_not_accused(shard):
    compared = row_beside(shard, shard.state[0].astype("f8"), 1e-9)
    assert (compared.wrong, compared.lost, compared.judged) == ("", 0, compared.numbers)


@pytest.mark.parametrize("allowed", [1e-9, np.inf], ids=["told", "hidden"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("points", [slice(3, 4), slice(None)], ids=["one", "all"])
def test_what_is_stored_and_no_number_matches_nothing(shard, number, points, allowed):
    values = shard.state[0].astype("f8")
    shard.state[0, points] = number
    compared = row_beside(shard, values, allowed)
    assert compared.wrong.startswith(f"x1 is {number} at time ")
    assert compared.wrong.endswith("stored as sound: the states do not follow from the equations")
    assert compared.share == np.inf


@pytest.mark.parametrize("both", [True, False])
def test_what_is_expected_and_no_number_is_matched_by_nothing(shard, both):
    values = shard.state[0].astype("f8")
    values[3] = np.nan
    if both:
        shard.state[0, 3] = np.nan
    assert row_beside(shard, values, 1e-9).wrong == "is stored as sound, but fails when integrated again"


def test_what_a_failing_neighbour_hides_accuses_nobody(shard):
    values, allowed = shard.state[0].astype("f8"), np.full(shard.state[0].shape, 1e-9)
    allowed[5:] = np.inf
    shard.state[0, 5:] += 1.0
    compared = row_beside(shard, values, allowed)
    assert (compared.wrong, compared.lost, compared.judged) == ("", 1, 5 * values.shape[1])
    # But for what can be told before.
    shard.state[0, 4, 0] += 1e-6
    assert "x1 is off by" in row_beside(shard, values, allowed).wrong


@pytest.mark.slow
@pytest.mark.parametrize("index", [(5, 0), (5, 20), (31, 7)])
def test_a_forged_nan_in_a_sound_row_is_found_when_rows_are_integrated_again(dataset_copy, forge, index):
    state = read_shard(dataset_copy / FILE).state.copy()
    state[index] = np.nan
    forge(dataset_copy, FILE, state=state)
    (problem,) = reintegrate(dataset_copy / FILE, 1000).problems
    assert problem.startswith(f"{FILE}: row {32 + index[0]}: x1 is nan at time ")


@pytest.mark.slow
@pytest.mark.parametrize("points", [2, 3, 30])
def test_a_row_whose_neighbours_leave_for_infinity_is_not_accused(experiment, tmp_path, points):
    """x = 1 stays where it is; what is above it by as much as rounding leaves for infinity."""
    system = {
        "name": "edge",
        "equations": {"x": "x*(x**2 - 1)", "y": "-y"},
        "initial_state": {"x": [1.0, 1.0], "y": [0.5, 1.0]},
    }
    config = experiment(
        system=system,
        grid={"duration": 60.0, "points": points},
        dataset={"train": 3, "validation": 0, "test": 0, "dtype": "float64"},
    )
    generate(config, tmp_path / "dataset", jobs=1)
    shard = read_shard(tmp_path / "dataset" / "train-00000.h5")
    assert (shard.state[:, :, 0] == 1).all()
    found = reintegrate(tmp_path / "dataset", 3)
    assert (found.rows, found.problems) == (3, [])
