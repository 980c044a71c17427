"""Datasets that lie elsewhere: the same numbers as here, few requests, no byte too many; what is wrong is told."""

import time

import fsspec
import numpy as np
import pytest
import torch
from fetch_server import SHARD, running
from remote_commands import assert_refused, assert_same, run
from trajstore.data import (
    TrajectoryDataset,
    TrajstoreError,
    load_manifest,
    make_loader,
    read_shard,
    verify,
)
from trajstore.data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST
from trajstore.data.remote import mirrors
from trajstore.data.remote.pages import FRONT, PAGE, Pages
from trajstore.pipeline import Selection, generate, select

DELAY = 0.02


# The same numbers


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small_dataset", "packed_dataset", "failing_dataset"])
@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_batches_are_those_of_the_folder_bit_for_bit(name, shuffle, request):
    folder = request.getfixturevalue(name)
    with running(folder) as server:
        there, here = (TrajectoryDataset(place, normalize=True) for place in (server.url, folder))
        for one, other in zip(
            make_loader(there, 16, shuffle=shuffle, seed=3),
            make_loader(here, 16, shuffle=shuffle, seed=3),
            strict=True,
        ):
            assert_same(one, other)


@pytest.mark.slow
def test_windows_parameters_and_other_variables_are_those_of_the_folder(experiment, tmp_path):
    drawn = {"name": "van-der-pol", "parameters": {"mu": {"uniform": [0.1, 2.0]}}}
    generate(experiment(system=drawn, observation={"derivative": True}), tmp_path / "dataset", jobs=1)
    with running(tmp_path / "dataset") as server:
        options = {"task": "vector-field", "window": 3, "stride": 2, "parameters": ["mu"], "normalize": True}
        there, here = (TrajectoryDataset(place, **options) for place in (server.url, tmp_path / "dataset"))
        chosen = np.random.default_rng(0).integers(0, len(here), 50)
        assert_same(there[chosen], here[chosen])
        assert torch.equal(there.states(chosen, "derivative"), here.states(chosen, "derivative"))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_by_connections_of_their_own(small_dataset, method):
    with running(small_dataset) as server:
        there, here = TrajectoryDataset(server.url), TrajectoryDataset(small_dataset)
        there[0]
        for one, other in zip(
            make_loader(there, 16, workers=2, start_method=method), make_loader(here, 16), strict=True
        ):
            assert_same(one, other)


def test_any_file_system_of_fsspec_serves(small_dataset):
    memory = fsspec.filesystem("memory")
    memory.put(str(small_dataset), "/shared", recursive=True)
    try:
        assert_same(TrajectoryDataset("memory://shared")[3:40], TrajectoryDataset(small_dataset)[3:40])
        assert verify("memory://shared") == []
    finally:
        memory.rm("/shared", recursive=True)


def test_a_file_address_is_a_path(small_dataset):
    assert load_manifest(f"file://{small_dataset}") == load_manifest(small_dataset)


# Few requests, and no byte too many


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_the_first_batch_takes_few_requests_and_little_time(wide_dataset, shuffle):
    with running(wide_dataset) as server:
        server.delay = DELAY
        TrajectoryDataset(server.url)
        server.requests.clear()
        begin = time.perf_counter()
        next(iter(make_loader(TrajectoryDataset(server.url), 256, shuffle=shuffle)))
        assert time.perf_counter() - begin < 2.0
        assert len(server.requests) <= 10


def test_the_first_sample_takes_four_requests(wide_dataset):
    with running(wide_dataset) as server:
        TrajectoryDataset(server.url)[0]
        assert len(server.requests) <= 4


def test_a_small_dataset_that_is_shuffled_comes_once(wide_dataset):
    with running(wide_dataset) as server:
        loader = make_loader(TrajectoryDataset(server.url), 256, shuffle=True)
        for _ in range(3):
            assert sum(len(inputs) for inputs, _ in loader) == 24_000
        assert sum(server.sent.values()) < 2 * loader.dataset.store.bytes


@pytest.mark.slow
@pytest.mark.parametrize("buffer", [400_000, 1 << 29], ids=["several fills", "one fill"])
def test_a_shuffle_in_blocks_brings_hardly_more_than_it_uses(wide_dataset, buffer):
    with running(wide_dataset) as server:
        dataset = TrajectoryDataset(server.url)
        loader = make_loader(dataset, 256, shuffle="block", block_bytes=64 << 10, buffer_bytes=buffer)
        assert sum(len(inputs) for inputs, _ in loader) == len(dataset)
        assert sum(server.sent.values()) < 1.2 * dataset.store.bytes


def test_one_sample_brings_its_own_bytes_and_what_opening_takes(wide_dataset):
    with running(wide_dataset) as server:
        dataset = TrajectoryDataset(server.url)
        dataset[0]
        server.requests.clear()
        dataset[7_000]
        dataset[[0, 5_000]]
        assert len(server.requests) == 3
        for _, asked in server.requests:
            first, last = map(int, asked.removeprefix("bytes=").split("-"))
            assert last - first + 1 == dataset.store.row_bytes


def test_pages_hold_the_bytes_of_the_file_however_it_is_read():
    content = np.random.default_rng(0).bytes(10 * PAGE + 17)
    asked = []

    def fetch(start, end):
        asked.append((start, end))
        return content[start:end]

    pages = Pages(len(content), fetch)
    generator = np.random.default_rng(1)
    for _ in range(300):
        start = int(generator.integers(0, len(content)))
        size = int(generator.integers(0, 3 * PAGE))
        assert pages.read(start, start + size) == content[start : start + size]
    assert all(start < end <= len(content) for start, end in asked)
    asked.clear()
    again = Pages(len(content), fetch)
    for start in range(0, len(content), 100):
        again.read(start, start + 100)
    assert asked[0] == (0, FRONT)
    assert len(asked) < 6, "pages that follow each other come more and more at once"
    asked.clear()
    scattered = Pages(len(content), fetch)
    for number in (8, 3, 6, 9, 4):
        scattered.read(number * PAGE + 5, number * PAGE + 6)
    assert [end - start for start, end in asked] == [PAGE] * 5


# The commands


def test_info_tells_the_same(small_dataset):
    with running(small_dataset) as server:
        assert run("info", server.url, "--json").stdout == run("info", small_dataset, "--json").stdout
        one = run("info", f"{server.url}{SHARD}", "--json")
        assert one.stdout == run("info", small_dataset / SHARD, "--json").stdout
        assert {name for name in server.names() if name.endswith(".h5")} == {SHARD}


@pytest.mark.slow
def test_verify_brings_all_into_a_cache_that_verifies(small_dataset, cache):
    with running(small_dataset) as server:
        result = run("verify", server.url, "--reintegrate", 3)
        assert result.exit_code == 0, result.output
        assert "sound" in result.stdout
        (folder,) = [path for path in cache.iterdir() if path.name != "partial"]
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            path.name: path.read_bytes() for path in small_dataset.iterdir()
        }
        assert verify(folder) == []
        server.requests.clear()
        assert verify(server.url) == []
        assert set(server.names()) == {MANIFEST, CHECKSUMS, *DOCUMENTS}


@pytest.mark.slow
def test_select_and_plot_do_as_with_a_folder(small_dataset, tmp_path):
    with running(small_dataset) as server:
        ids = [
            select(place, tmp_path / name, Selection(rows=(2, 9), splits=["train", "test"])).id
            for name, place in (("here", small_dataset), ("there", server.url))
        ]
        assert ids[0] == ids[1]
        result = run("plot", server.url, "--out", tmp_path / "figures")
        assert result.exit_code == 0, result.output
        assert run("plot", small_dataset, "--out", tmp_path / "local").exit_code == 0
        names = {path.name for path in (tmp_path / "local").iterdir()}
        assert names
        assert {path.name for path in (tmp_path / "figures").iterdir()} == names
        assert_refused(run("plot", server.url), "--out")


def test_verify_finds_a_shard_that_was_changed_and_keeps_it_out_of_the_cache(dataset_copy, cache):
    content = bytearray((dataset_copy / SHARD).read_bytes())
    content[-1] ^= 1
    (dataset_copy / SHARD).write_bytes(content)
    (dataset_copy / "test-00000.h5").unlink()
    with running(dataset_copy) as server:
        result = run("verify", server.url)
        assert result.exit_code == 1, result.output
        assert f"{SHARD}: has the size but not the SHA-256" in result.stdout
        assert "test-00000.h5: missing" in result.stdout
        assert not list(cache.glob(f"*/{SHARD}"))


def test_a_whole_file_is_gone_on_with_where_it_broke_off(wide_dataset, monkeypatch, cache):
    monkeypatch.setattr(mirrors, "STEP", 100_000)
    with running(wide_dataset) as server:
        tries = []

        def stop(handler, content):
            tries.append(handler.headers.get("Range"))
            return 4 <= len(tries) < 20 and not handler.answer(500, b"")

        server.behaviours[SHARD] = stop
        with pytest.raises(TrajstoreError, match="status 500"):
            read_shard_of(server.url)
        (partial,) = cache.glob("partial/*.part")
        assert partial.stat().st_size == 300_000
        server.behaviours.clear()
        server.sent.clear()
        read_shard_of(server.url)
        assert server.sent[SHARD] == (wide_dataset / SHARD).stat().st_size - 300_000


def read_shard_of(url):
    dataset_folder = TrajectoryDataset(url, "test").store.path
    return read_shard(dataset_folder / SHARD)
