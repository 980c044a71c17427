"""Which files elsewhere come whole, and which stretches together: all that is asked for, in order, little else."""

import numpy as np
import pytest
from trajstore.data.batches import sweeps
from trajstore.data.batches.sweeps import REQUEST_BYTES, SLACK, FarParts, near_sweeps
from trajstore.data.remote.pages import ENDS

ROW_BYTES = 1000


def far_parts(monkeypatch, rows, beside):
    """Files with so many rows each, and so many bytes beside the states."""
    sizes = dict(enumerate(np.asarray(rows) * ROW_BYTES + beside))
    monkeypatch.setattr(sweeps, "size_elsewhere", sizes.__getitem__)
    return FarParts(list(sizes), np.asarray(rows), ROW_BYTES), np.array(list(sizes.values()))


def drawn(generator):
    """Ascending stretches, each within one file, by blocks of random bounds of which some are left out."""
    rows = generator.integers(1, 20_000, generator.integers(1, 7))
    starts = np.append(0, np.cumsum(rows))
    cuts = np.union1d(starts, generator.integers(0, starts[-1], 60))
    stretches = np.stack([cuts[:-1], cuts[1:]], axis=1)
    stretches = stretches[generator.random(len(stretches)) < generator.choice([0.2, 0.9, 1.0])]
    parts = np.searchsorted(starts, stretches[:, 0], side="right") - 1
    return rows, stretches, parts


@pytest.mark.parametrize("seed", range(200))
def test_sweeps_have_each_stretch_once_and_bring_little_else(seed, monkeypatch):
    generator = np.random.default_rng(seed)
    rows, stretches, parts = drawn(generator)
    far, sizes = far_parts(monkeypatch, rows, generator.integers(0, 2_000_000, len(rows)))
    known = set(generator.integers(0, len(rows), 2).tolist())
    found = far.sweeps(stretches, parts, known)
    numbers = [number for sweep in found for number in range(sweep.stretches.start, sweep.stretches.stop)]
    assert numbers == list(range(len(stretches)))
    brought = wanted = 0
    for sweep in found:
        assert set(parts[sweep.stretches]) == {sweep.part}
        asked = stretches[sweep.stretches]
        assert sweep.rows == (asked[0, 0], asked[-1, 1])
        size = int((asked[:, 1] - asked[:, 0]).sum()) * ROW_BYTES
        wanted += size
        if sweep.whole:
            assert sizes[sweep.part] <= REQUEST_BYTES
            assert sum(other.part == sweep.part for other in found) == 1
            brought += max(size, sizes[sweep.part] - (sweep.part not in known) * ENDS)
        else:
            assert (sweep.rows[1] - sweep.rows[0]) * ROW_BYTES == size
            assert size <= REQUEST_BYTES or len(asked) == 1
            brought += size
    assert brought <= (1 + SLACK) * (wanted + len(rows) * ENDS)


def test_files_that_are_used_up_come_by_one_request_each(monkeypatch):
    far, _ = far_parts(monkeypatch, [1000] * 5, 100_000)
    stretches = np.stack([np.arange(0, 5000, 100), np.arange(100, 5100, 100)], axis=1)
    found = far.sweeps(stretches, stretches[:, 0] // 1000, ())
    assert [(sweep.part, sweep.whole) for sweep in found] == [(part, True) for part in range(5)]


def test_rows_close_together_are_not_taken_for_rows_all_over(monkeypatch):
    far, _ = far_parts(monkeypatch, [5000, 5000], 50_000)
    generator = np.random.default_rng(0)
    assert far.whole_for({0: np.arange(2000)}, ROW_BYTES, ()) == set()
    assert far.whole_for({0: np.array([0, 4999])}, ROW_BYTES, ()) == set()
    assert far.whole_for({1: generator.integers(0, 5000, 1000)}, ROW_BYTES, ()) == {1}


def test_stretches_here_are_read_some_at_a_time():
    for count in (0, 1, 8, 9, 100):
        numbers = [number for sweep in near_sweeps(count) for number in range(count)[sweep.stretches]]
        assert numbers == list(range(count))
