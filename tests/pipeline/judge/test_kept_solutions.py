"""What rows truly do is integrated once for all runs of a study, and never taken from a file that is not whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import TrajectoryDataset
from trajstore.pipeline.dynamics.engines import EngineSettings, Solution, make_engine
from trajstore.pipeline.dynamics.systems import get_system
from trajstore.pipeline.judge.kept_solutions import KeepingEngine, keeping, solutions_kept_in
from trajstore.pipeline.judge.truth import Truth

SYSTEM = {"name": "van-der-pol"}
TIMES = np.linspace(0, 1, 5)


class Counted:
    """An engine that counts how often it is asked."""

    threads = True

    def __init__(self, **settings):
        self.asked, self._engine = 0, make_engine(get_system("van-der-pol"), EngineSettings(**settings))

    def describe(self):
        return self._engine.describe()

    def solve(self, *asked):
        self.asked += 1
        return self._engine.solve(*asked)


def rows(*numbers):
    return np.array([[number, -number] for number in numbers], dtype=float)


def test_what_was_solved_once_is_read(tmp_path):
    engine, mu = Counted(), np.array([[0.1], [2.0], [0.1]])
    # A row that fails has no numbers, and is told to have failed each time.
    starts = rows(1.0, 2.0, np.nan)
    first, again = (
        KeepingEngine(engine, SYSTEM, tmp_path / "truth", worth=0).solve(starts, mu, TIMES) for _ in range(2)
    )
    assert engine.asked == 1
    alone = Counted().solve(starts, mu, TIMES)
    for found in (first, again):
        np.testing.assert_array_equal(found.states, alone.states)
        np.testing.assert_array_equal(found.status, alone.status)
    assert first.status[2] != 0


@pytest.mark.parametrize(
    "other",
    [
        lambda: (Counted(), SYSTEM, rows(1.5), np.array([[0.1]]), TIMES),
        lambda: (Counted(), SYSTEM, rows(1.0), np.array([[0.2]]), TIMES),
        lambda: (Counted(), SYSTEM, rows(1.0), np.array([[0.1]]), TIMES * 2),
        lambda: (Counted(tolerance=1e-6), SYSTEM, rows(1.0), np.array([[0.1]]), TIMES),
        lambda: (Counted(), {"name": "another"}, rows(1.0), np.array([[0.1]]), TIMES),
        lambda: (Counted(), SYSTEM, rows(1.0, 1.0), np.array([[0.1], [0.1]]), TIMES),
    ],
    ids=["start", "parameter", "times", "engine", "system", "rows"],
)
def test_another_question_has_another_answer(tmp_path, other):
    KeepingEngine(Counted(), SYSTEM, tmp_path, worth=0).solve(rows(1.0), np.array([[0.1]]), TIMES)
    engine, system, *asked = other()
    found = KeepingEngine(engine, system, tmp_path, worth=0).solve(*asked)
    assert engine.asked == 1
    np.testing.assert_array_equal(found.states, engine.solve(*asked).states)


@given(place=st.floats(0, 1, exclude_max=True), cut=st.booleans())
def test_a_damaged_file_is_not_believed(tmp_path_factory, place, cut):
    folder, engine = tmp_path_factory.mktemp("kept"), Counted()
    asked = rows(1.0), np.array([[0.1]]), TIMES
    true = KeepingEngine(engine, SYSTEM, folder, worth=0).solve(*asked)
    [path] = folder.iterdir()
    content = bytearray(path.read_bytes())
    where = int(place * len(content))
    if cut:
        del content[where:]
    else:
        content[where] ^= 0xFF
    path.write_bytes(content)
    found = KeepingEngine(engine, SYSTEM, folder, worth=0).solve(*asked)
    np.testing.assert_array_equal(found.states, true.states)
    np.testing.assert_array_equal(found.status, true.status)


def test_what_takes_no_time_and_what_cannot_be_written_is_not_kept(tmp_path):
    asked = rows(1.0), np.array([[0.1]]), TIMES
    KeepingEngine(Counted(), SYSTEM, tmp_path, worth=60).solve(*asked)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    found = KeepingEngine(Counted(), SYSTEM, tmp_path / "file", worth=0).solve(*asked)
    assert isinstance(found, Solution)


def test_only_where_a_folder_is_named(small_dataset, tmp_path):
    engine = Counted()
    assert keeping(engine, SYSTEM) is engine
    truth = Truth.of(TrajectoryDataset(small_dataset, "test"))
    with solutions_kept_in(tmp_path):
        kept = Truth.of(TrajectoryDataset(small_dataset, "test"))
    assert isinstance(kept.engine, KeepingEngine)
    assert not isinstance(truth.engine, KeepingEngine)
    chosen, times = np.arange(3), np.linspace(0, 2, 9)
    for found, true in zip(kept.along(chosen, times), truth.along(chosen, times), strict=True):
        np.testing.assert_array_equal(found, true)
