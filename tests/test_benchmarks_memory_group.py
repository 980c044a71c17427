"""The limit of memory that the benchmark of large datasets sets, on a dataset of a few megabytes."""

import sys
from pathlib import Path

import pytest
from trajstore.pipeline import generate

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="control groups, mincore(2)"),
]


def test_a_reader_runs_in_a_group_from_a_cold_page_cache(experiment, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from larger_than_memory import Limited

    generate(experiment(dataset={"train": 20_000, "shard_rows": 4_000}), tmp_path / "dataset", jobs=1)
    limited = Limited(tmp_path / "dataset", 400 << 20)
    options = {"shuffle": "block", "block_bytes": 1 << 14, "buffer_bytes": 1 << 20}
    try:
        rate = limited("block", "batches", options=options, seconds=10)
    except SystemExit as stopped:
        if "stays in the page cache" in str(stopped):
            pytest.skip("the temporary folder is in memory")
        raise
    assert rate > 0
    (result,) = limited.results["block"]
    assert result["samples"] == 20_000 // 256 * 256
    if limited.enforced:
        assert 0 < result["group"] <= 400 << 20
