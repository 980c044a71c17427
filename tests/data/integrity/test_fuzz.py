"""A few hundred damaged files; `make fuzz` reads a hundred thousand."""

import numpy as np
import pytest
from fuzz import BAD, GOOD, damaged, make_kinds, run_cases

pytestmark = pytest.mark.slow


def test_damaged_files_are_refused_or_found_and_nothing_else_happens():
    summary = run_cases(400, seed=1)
    assert summary.failures == {}
    assert summary.caught == {}
    assert sum(summary.outcomes.values()) == 400
    assert {outcome for _, outcome in summary.outcomes} <= set(GOOD)
    # A fuzz that breaks too much, or too little, tests nothing.
    for outcome in GOOD[:3]:
        assert sum(count for (_, one), count in summary.outcomes.items() if one == outcome) >= 10
    assert {kind for kind, _ in summary.outcomes} == {"shard", "gzip shard", "manifest", "checkpoint"}
    assert summary.peak_bytes < 512 << 20


def test_a_case_is_a_function_of_its_seed_and_number(tmp_path):
    (kind, *_) = make_kinds(tmp_path)
    cases = [damaged(kind, np.random.default_rng([0, number])) for number in (0, 1, 0)]
    assert cases[0] == cases[2] != cases[1]
    assert cases[0] != kind.whole


def test_the_fuzz_tells_of_an_error_that_is_none_of_ours(monkeypatch):
    monkeypatch.setattr("trajstore.data.folder.manifest_reading.read_text_file", lambda path: 1 / 0)
    summary = run_cases(60, seed=1)
    assert summary.failures
    assert all("ZeroDivisionError" in said for said in summary.failures.values())
    assert {kind for kind, outcome in summary.outcomes if outcome == BAD} == {"manifest"}
