"""Limits of memory that the system tells of, and pages that are given back to it."""

import os
import sys
from pathlib import Path

import pytest
from trajstore.data import FormatError
from trajstore.data.base import memory_limit as memory
from trajstore.data.shard.direct_reads import extents

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "5000\n"}, 5000),
        ("0::/a/b\n", {"a/b/memory.max": "3000\n", "a/memory.max": "5000\n"}, 3000),
        ("0::/gone/from/here\n", {"memory.max": "7000\n"}, 7000),
        ("4:memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": "4000\n"}, 4000),
        ("4:cpu:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": "4000\n"}, 10**6),
    ],
)
def test_the_least_limit_counts(lines, files, expected, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "own").write_text(lines)
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_machine", lambda: [10**6])
    assert memory.memory_limit() == expected


def test_the_machine_has_some_memory():
    limit = memory.memory_limit()
    assert limit is None or limit > 1 << 20


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.skipif(sys.platform != "linux", reason="needs mincore(2)")
def test_pages_are_given_back_where_they_are_not_kept(tmp_path, monkeypatch, keep):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from memory_group import evict, resident

    path = tmp_path / "file"
    content = os.urandom(1 << 20)
    path.write_bytes(content)
    evict([path])
    if resident([path]) > 0:
        pytest.skip("the temporary folder is in memory")
    target = bytearray(300_001)
    with extents(path, keep=keep) as fill:
        fill(memoryview(target), 5001)
    assert target == content[5001 : 5001 + len(target)]
    assert (resident([path]) > 0.2) is keep
    if not keep:
        assert resident([path]) == 0


def test_a_file_that_ends_too_soon_is_named(tmp_path):
    (tmp_path / "short").write_bytes(b"123")
    with (
        pytest.raises(FormatError, match=r"short: ends at byte 3, expected 5"),
        extents(tmp_path / "short", keep=True) as fill,
    ):
        fill(memoryview(bytearray(4)), 1)
