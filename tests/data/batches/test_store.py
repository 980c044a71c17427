"""The store gives the rows asked for, in the order asked for, however they lie in files."""

import os
import pickle

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import DataError, FormatError, TrajstoreError
from trajstore.data.batches.shard_reader import ChunkedStates, MappedStates, open_states
from trajstore.data.batches.split import Store
from trajstore.data.batches.windows import Windows
from trajstore.data.shard import layout
from trajstore.data.shard import shard as shard_module

SIZES = (7, 1, 12, 5)
ROWS = sum(SIZES)
SAMPLES = 9


@pytest.fixture(
    scope="module", params=["contiguous", "gzip, few rows a chunk", "gzip, part of a row a chunk"]
)
def table(request, tmp_path_factory, make_shard, write_dataset):
    """A store over shards of different sizes, and all of its rows in memory."""
    firsts = np.cumsum([0, *SIZES])[:-1]
    shards = [
        make_shard(rows, SAMPLES, first_row=int(first)) for rows, first in zip(SIZES, firsts, strict=True)
    ]
    compression = None if request.param == "contiguous" else "gzip"
    with pytest.MonkeyPatch.context() as patch:
        row = SAMPLES * 2 * 4
        patch.setattr(layout, "CHUNK_BYTES", 3 * row if "few rows" in request.param else 4 * 8)
        folder = write_dataset(tmp_path_factory.mktemp("table") / "dataset", {"train": shards}, compression)
    with h5py.File(folder / "train-00002.h5") as file:
        chunks = {
            "contiguous": None,
            "gzip, few rows a chunk": (3, 9, 2),
            "gzip, part of a row a chunk": (1, 4, 2),
        }
        assert file["state"].chunks == chunks[request.param]
    return Store(folder, "train"), np.concatenate([shard.state for shard in shards])


@pytest.mark.slow
@given(data=st.data())
def test_gathered_rows_are_the_rows_asked_for(table, data):
    store, states = table
    rows = np.array(data.draw(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=60)))
    whole = Windows(SAMPLES, SAMPLES)
    np.testing.assert_array_equal(store.gather(rows, None, whole), states[rows], strict=True)


@pytest.mark.slow
@given(data=st.data())
def test_gathered_windows_are_slices_of_their_rows(table, data):
    store, states = table
    length = data.draw(st.integers(1, SAMPLES))
    windows = Windows(SAMPLES, length, data.draw(st.integers(1, 4)))
    pairs = data.draw(
        st.lists(
            st.tuples(st.integers(0, ROWS - 1), st.integers(0, windows.per_row - 1)), min_size=1, max_size=40
        )
    )
    rows, numbers = np.array(pairs).T
    begins = numbers * windows.stride
    expected = np.stack(
        [states[row, begin : begin + length] for row, begin in zip(rows, begins, strict=True)]
    )
    np.testing.assert_array_equal(store.gather(rows, numbers, windows), expected, strict=True)


@pytest.mark.parametrize("row", [-1, ROWS, 10**9])
def test_rows_out_of_range_are_an_index_error(table, row):
    store, _ = table
    with pytest.raises(IndexError):
        store.gather(np.array([0, row]), None, Windows(SAMPLES, SAMPLES))


def test_no_rows_are_an_empty_array(table):
    store, _ = table
    gathered = store.gather(np.array([], dtype=np.int64), None, Windows(SAMPLES, SAMPLES))
    assert gathered.shape == (0, SAMPLES, 2)


@pytest.mark.slow
def test_columns_run_over_all_shards_in_row_order(table):
    store, states = table
    np.testing.assert_array_equal(store.column("trajectory"), np.arange(ROWS))
    np.testing.assert_array_equal(store.column("initial_state"), states[:, 0].astype(np.float64))
    np.testing.assert_array_equal(store.column("mu"), np.full(ROWS, 0.1))
    with pytest.raises(TrajstoreError, match=r"nu.*mu"):
        store.column("nu")


def test_a_pickled_store_carries_no_open_files_and_reads_the_same(table):
    store, states = table
    rows = np.arange(ROWS)
    store.gather(rows, None, Windows(SAMPLES, SAMPLES))
    packed = pickle.dumps(store)
    assert len(packed) < 20_000
    again = pickle.loads(packed)
    np.testing.assert_array_equal(again.gather(rows, None, Windows(SAMPLES, SAMPLES)), states)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_relative_path_means_the_folder_where_it_was_said(tmp_path, make_shard, monkeypatch, compression):
    (tmp_path / "elsewhere").mkdir()
    shard_module.write_shard(tmp_path / "train-00000.h5", make_shard(), compression)
    monkeypatch.chdir(tmp_path)
    store = Store("train-00000.h5", None)
    packed = pickle.dumps(store)
    monkeypatch.chdir("elsewhere")
    expected = make_shard().state
    rows, whole = np.arange(len(expected)), Windows(expected.shape[1], expected.shape[1])
    for found in (store, pickle.loads(packed)):
        np.testing.assert_array_equal(found.gather(rows, None, whole), expected)


def test_plain_shards_are_mapped_and_compressed_ones_are_not(tmp_path, make_shard):
    for compression, kind in ((None, MappedStates), ("gzip", ChunkedStates)):
        shard_module.write_shard(tmp_path / "train-00000.h5", make_shard(), compression)
        assert type(open_states(tmp_path / "train-00000.h5")) is kind


def test_a_compressed_shard_reads_equal_in_a_process_that_was_forked(tmp_path, make_shard):
    shard = make_shard()
    shard_module.write_shard(tmp_path / "train-00000.h5", shard, "gzip")
    states, windows = open_states(tmp_path / "train-00000.h5"), Windows(21, 21)
    for _ in range(2):
        child = os.fork()
        if not child:
            gathered = states.gather(np.array([5, 1]), None, windows)
            os._exit(0 if np.array_equal(gathered, shard.state[[5, 1]]) else 1)
        assert os.waitpid(child, 0)[1] == 0
        np.testing.assert_array_equal(states.gather(np.array([5, 1]), None, windows), shard.state[[5, 1]])


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_shard_holds_no_file_open(tmp_path, make_shard, compression):
    shard_module.write_shard(tmp_path / "train-00000.h5", make_shard(), compression)
    states = open_states(tmp_path / "train-00000.h5")
    with h5py.File(tmp_path / "train-00000.h5", "r+") as file:
        assert file["state"].shape == (100, 21, 2)
    assert states.gather(np.array([1]), None, Windows(21, 21)).shape == (1, 21, 2)


def test_states_of_the_other_byte_order_read_equal(tmp_path, make_shard):
    # As a big-endian machine, or another program, may write them; the format names a type, not an order.
    shard = make_shard()
    shard_module.write_shard(tmp_path / "train-00000.h5", shard)
    with h5py.File(tmp_path / "train-00000.h5", "r+") as file:
        del file["state"]
        file["state"] = shard.state.astype(">f4")
    gathered = Store(tmp_path / "train-00000.h5", None).gather(np.arange(100), None, Windows(21, 21))
    np.testing.assert_array_equal(gathered, shard.state, strict=True)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_shard_with_fewer_rows_than_the_manifest_says_is_refused(
    tmp_path, make_shard, write_dataset, compression
):
    # Silently reading some other row in place of one that is missing would be the worst answer.
    shards = [make_shard(20), make_shard(20, first_row=20)]
    folder = write_dataset(tmp_path / "dataset", {"train": shards}, compression)
    shard_module.write_shard(folder / "train-00001.h5", make_shard(5, first_row=20), compression)
    with pytest.raises(FormatError, match=r"train-00001\.h5"):
        Store(folder, "train").gather(np.array([39]), None, Windows(21, 21))


def test_a_shard_that_is_missing_or_cut_off_is_a_format_error(tmp_path, make_shard, write_dataset):
    shards = [make_shard(20), make_shard(20, first_row=20)]
    folder = write_dataset(tmp_path / "dataset", {"train": shards})
    last = folder / "train-00001.h5"
    last.write_bytes(last.read_bytes()[:-1000])
    with pytest.raises(FormatError, match=r"train-00001\.h5"):
        Store(folder, "train").gather(np.array([39]), None, Windows(21, 21))
    last.unlink()
    with pytest.raises(FormatError, match=r"train-00001\.h5"):
        Store(folder, "train").gather(np.array([39]), None, Windows(21, 21))


def test_splits_that_are_not_there_are_named(tmp_path, make_shard, write_dataset):
    folder = write_dataset(tmp_path / "dataset", {"train": [make_shard(5)]})
    with pytest.raises(DataError, match=r"exam.*train, validation, test"):
        Store(folder, "exam")
    with pytest.raises(DataError, match=r"validation.*empty"):
        Store(folder, "validation")
    with pytest.raises(DataError, match="'train', not 'test'"):
        Store(folder / "train-00000.h5", "test")
    with pytest.raises(FormatError, match="no such folder, so no dataset"):
        Store(tmp_path / "nothing", None)
