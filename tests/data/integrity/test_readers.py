"""Shards are read by several children at once, and what is found comes in the shards' order."""

import os
import threading
import time
from pathlib import Path

import pytest
from trajstore.data import Manifest
from trajstore.data.base.errors import DataError
from trajstore.data.integrity import readers as readers_module
from trajstore.data.integrity.reader import Reader
from trajstore.data.integrity.readers import Readers


@pytest.fixture
def shards(small_dataset):
    return Manifest.model_validate_json((small_dataset / "manifest.json").read_text()).shards


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(readers_module, "CHILD_BYTES", 1)


def test_two_work_at_once_each_for_itself_and_answers_keep_their_order(shards):
    both, used = threading.Barrier(2, timeout=20), set()

    def check(reader: Reader, number: int) -> int:
        used.add(id(reader))
        if number < 2:
            both.wait()
        time.sleep(0.02 * (number % 3 == 0))
        return number

    with Readers(True, shards) as readers:
        assert list(readers.map(check, range(20))) == list(range(20))
    assert len(used) == 2


def test_an_error_is_raised_where_its_answer_would_come(shards):
    def check(reader: Reader, number: int) -> int:
        if number == 3:
            raise DataError("the third")
        return number

    found = []
    with Readers(True, shards) as readers, pytest.raises(DataError, match="the third"):
        found.extend(iter(readers.map(check, range(100))))
    assert found == [0, 1, 2]


def test_who_leaves_early_waits_for_no_child_and_leaves_none(small_dataset, shards):
    path = small_dataset / shards[0].file
    processes = []

    def check(reader: Reader, number: int) -> int:
        if number == 0:
            return 0
        processes.append(reader._child.pid)
        os.kill(reader._child.pid, 19)  # It will never answer.
        return len(reader.problems(path))

    began = time.monotonic()
    with Readers(True, shards) as readers:
        for _ in readers.map(check, range(9)):
            while not processes:
                time.sleep(0.01)
            break
    assert time.monotonic() - began < 20
    assert not [process for process in processes if Path(f"/proc/{process}").exists()]


def test_few_are_read_at_once_where_they_are_large_or_there_is_little_to_read(shards, monkeypatch):
    with Readers(True, shards) as readers:
        assert len(readers._readers) == 2
    monkeypatch.setattr(readers_module, "CHILD_BYTES", sum(shard.bytes for shard in shards))
    with Readers(True, shards) as readers:
        assert len(readers._readers) == 1
    monkeypatch.setattr(readers_module, "CHILD_BYTES", 1)
    monkeypatch.setattr(readers_module, "MEMORY_BYTES", 4 * max(shard.bytes for shard in shards))
    with Readers(True, shards) as readers:
        assert len(readers._readers) == 1
