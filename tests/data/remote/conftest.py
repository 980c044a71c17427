"""What the tests of datasets elsewhere share: a cache of their own, and datasets of some size."""

import pytest
from trajstore.data.remote import mirrors, places
from trajstore.pipeline import generate


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, no proxy between here and here, and little patience."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TRAJSTORE_CACHE", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(places, "BACKOFF", 0.01)
    monkeypatch.setattr(mirrors, "_mirrors", {})
    return folder


@pytest.fixture(scope="session")
def wide_dataset(experiment, tmp_path_factory):
    """Shards of the size of a megabyte: 24 000 + 500 + 500 rows, train in three."""
    folder = tmp_path_factory.mktemp("wide") / "dataset"
    dataset = {"train": 24_000, "validation": 500, "test": 500, "shard_rows": 8_000}
    generate(experiment(dataset=dataset), folder, jobs=1)
    return folder


@pytest.fixture(scope="session")
def packed_dataset(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "dataset"
    generate(experiment(dataset={"compression": "gzip"}), folder, jobs=1)
    return folder
