"""A few of the kills of `make soak`: work that was killed at random times ends in the same bytes."""

import os

import forked
import pytest
import soak

pytestmark = pytest.mark.slow


def test_what_was_killed_at_random_times_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    # What a killed process leaves in the system's folder for temporary files is then removed with the test's own.
    monkeypatch.setenv("TMPDIR", os.fspath(tmp_path))
    # Start-up is most of so short a run: kills that wait for a shard or a checkpoint land in the work.
    monkeypatch.setattr(soak, "AIMED", 1.0)
    monkeypatch.setattr(soak, "DATASET_FILES", ("*.h5.*.part",))
    monkeypatch.setattr(soak, "RUN_FILES", ("last.pt.*.part",))
    monkeypatch.setattr(soak, "Popen", forked.Popen)
    monkeypatch.setattr(soak, "run", forked.run)
    cases = [
        case
        for case in soak.scenarios(tmp_path, scale=0.1)
        if case.name in ("generate, threads", "train, Adam and Levenberg-Marquardt")
    ]
    tallies = soak.soak(cases, tmp_path, kills=6, seed=2, report=lambda kills: None, kills_a_run=3)
    assert [fault for tally in tallies.values() for fault in tally.faults] == []
    assert sum(tally.kills for tally in tallies.values()) >= 6
    assert all(tally.runs for tally in tallies.values())
