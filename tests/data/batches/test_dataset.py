"""The dataset: what it gives is what plain h5py reads from the files."""

import shutil
from functools import partial

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from trajstore.data import (
    DataError,
    FormatError,
    Normalizer,
    TrajectoryDataset,
    load_manifest,
    make_loader,
    read_shard,
)
from trajstore.data.shard import layout
from trajstore.data.shard import shard as shard_module
from trajstore.pipeline import generate


def by_h5py(folder, split, name="state"):
    """A variable of all shards of a split, read with nothing of trajstore."""
    parts = []
    for path in sorted(folder.glob(f"{split}-*.h5")):
        with h5py.File(path) as file:
            parts.append(file[name][()])
    return np.concatenate(parts)


@pytest.mark.parametrize(("split", "rows"), [("train", 70), ("validation", 20), ("test", 10)])
def test_initial_value_samples_are_the_states_in_the_files(small_dataset, split, rows):
    states = by_h5py(small_dataset, split)
    dataset = TrajectoryDataset(small_dataset, split, "initial-value")
    assert len(dataset) == dataset.trajectories == rows
    for index in range(rows):
        inputs, targets = dataset[index]
        assert inputs.shape == targets.shape == (21, 2)
        assert inputs.dtype == targets.dtype == torch.float32
        np.testing.assert_array_equal(targets.numpy(), states[index])
        np.testing.assert_array_equal(inputs[0].numpy(), states[index, 0])
        assert not inputs[1:].any()


def test_forecast_samples_are_the_states_in_the_files_one_step_apart(small_dataset):
    states = by_h5py(small_dataset, "train")
    dataset = TrajectoryDataset(small_dataset, task="forecast")
    inputs, targets = dataset[np.arange(70)]
    np.testing.assert_array_equal(inputs.numpy(), states[:, :-1])
    np.testing.assert_array_equal(targets.numpy(), states[:, 1:])


def test_the_grid_and_the_names_are_those_of_the_file(small_dataset):
    dataset = TrajectoryDataset(small_dataset)
    assert dataset.components == ("x1", "x2")
    np.testing.assert_array_equal(dataset.time, np.linspace(0, 2, 21))


@pytest.mark.slow
@given(window=st.integers(2, 21), stride=st.integers(1, 23))
def test_windows_never_cross_from_one_trajectory_to_the_next(small_dataset, window, stride):
    states = by_h5py(small_dataset, "train")
    dataset = TrajectoryDataset(small_dataset, task="forecast", window=window, stride=stride)
    begins = [begin for begin in range(0, 21, stride) if begin + window <= 21]
    expected = np.concatenate([states[:, begin : begin + window, None] for begin in begins], axis=2)
    expected = expected.transpose(0, 2, 1, 3).reshape(-1, window, 2)
    assert len(dataset) == len(expected) == 70 * len(begins)
    inputs, targets = dataset[np.arange(len(dataset))]
    np.testing.assert_array_equal(inputs.numpy(), expected[:, :-1])
    np.testing.assert_array_equal(targets.numpy(), expected[:, 1:])


def test_windows_too_short_for_the_task_or_too_long_for_the_grid_are_refused(small_dataset):
    with pytest.raises(DataError, match="at least 2"):
        TrajectoryDataset(small_dataset, task="forecast", window=1)
    with pytest.raises(DataError, match=r"22.*21"):
        TrajectoryDataset(small_dataset, window=22)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_split_is_normalised_by_the_moments_of_the_train_split(small_dataset, split):
    train = by_h5py(small_dataset, "train").astype(np.float64).reshape(-1, 2)
    expected = (by_h5py(small_dataset, split) - train.mean(axis=0)) / train.std(axis=0)
    dataset = TrajectoryDataset(small_dataset, split, normalize=True)
    inputs, targets = dataset[np.arange(len(dataset))]
    np.testing.assert_allclose(targets.numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(inputs[:, 0].numpy(), expected[:, 0], rtol=1e-5, atol=1e-6)
    # The zeros after x(0) say "nothing is seen"; they stay zeros.
    assert not inputs[:, 1:].any()


def test_a_validation_file_alone_takes_a_normalizer_but_has_none_of_its_own(small_dataset):
    path = small_dataset / "validation-00000.h5"
    with pytest.raises(DataError, match="train"):
        TrajectoryDataset(path, normalize=True)
    normalizer = TrajectoryDataset(small_dataset, normalize=True).normalizer
    assert isinstance(normalizer, Normalizer)
    whole = TrajectoryDataset(small_dataset, "validation", normalize=True)
    alone = TrajectoryDataset(path, normalize=normalizer)
    assert torch.equal(alone[3][1], whole[3][1])


def test_one_file_gives_what_the_folder_gives_of_its_rows(small_dataset):
    folder = TrajectoryDataset(small_dataset)
    first = 0
    for index in range(3):
        alone = TrajectoryDataset(small_dataset / f"train-{index:05d}.h5")
        assert alone.store.split == "train"
        rows = np.arange(len(alone))
        for one, other in zip(alone[rows], folder[first + rows], strict=True):
            assert torch.equal(one, other)
        first += len(alone)
    assert first == len(folder)


def test_failed_rows_are_left_out_and_counted(failing_dataset):
    starts, status = (by_h5py(failing_dataset, "train", name) for name in ("initial_state", "status"))
    # x' = x^2: x(2) = x0 / (1 - 2 x0), and no solution reaches 2 from x0 >= 1/2.
    sound = starts[:, 0] < 0.5
    np.testing.assert_array_equal(status == 0, sound)
    dataset = TrajectoryDataset(failing_dataset)
    assert 0 < dataset.failed == (~sound).sum() < 40
    assert len(dataset) == dataset.trajectories == sound.sum()
    assert len(dataset.store) == 40
    _, targets = dataset[np.arange(len(dataset))]
    expected = starts[sound] / (1 - dataset.time * starts[sound])
    np.testing.assert_allclose(targets[:, :, 0].numpy(), expected, rtol=1e-5)


def test_failed_rows_do_not_enter_the_moments(failing_dataset):
    states = by_h5py(failing_dataset, "train")
    dataset = TrajectoryDataset(failing_dataset, "validation", normalize=True)
    assert dataset.normalizer.mean[0] == pytest.approx(np.nanmean(states), rel=1e-12)
    assert dataset.normalizer.std[0] == pytest.approx(np.nanstd(states), rel=1e-12)


def test_failed_rows_are_left_out_of_windows_and_of_single_files(failing_dataset):
    windows = TrajectoryDataset(failing_dataset, task="forecast", window=5, stride=4)
    inputs, targets = windows[np.arange(len(windows))]
    assert inputs.isfinite().all()
    assert targets.isfinite().all()
    for index in range(3):
        alone = TrajectoryDataset(failing_dataset / f"train-{index:05d}.h5")
        assert alone[np.arange(len(alone))][1].isfinite().all()
        assert alone.failed + len(alone) == len(alone.store)


def test_a_split_whose_rows_all_failed_is_refused(tmp_path, make_shard, write_dataset):
    folder = write_dataset(tmp_path / "dataset", {"train": [make_shard(3, failed=(0, 1, 2))]})
    with pytest.raises(DataError, match="failed"):
        TrajectoryDataset(folder)


@pytest.mark.slow
@given(index=st.integers(-70, 69))
def test_negative_numbers_count_from_the_end(small_dataset, index):
    dataset = TrajectoryDataset(small_dataset)
    expected = torch.from_numpy(by_h5py(small_dataset, "train")[index])
    assert torch.equal(dataset[index][1], expected)
    assert torch.equal(dataset[[index, 0]][1][0], expected)
    assert torch.equal(dataset[np.int64(index)][1], expected)


@pytest.mark.slow
@given(part=st.slices(75))
def test_a_slice_is_the_batch_of_its_samples(small_dataset, part):
    expected = by_h5py(small_dataset, "train")[part]
    inputs, targets = TrajectoryDataset(small_dataset)[part]
    np.testing.assert_array_equal(targets.numpy(), expected, strict=True)
    assert inputs.shape == targets.shape


def test_raw_states_are_indexed_as_numpy_indexes_them(small_dataset):
    stored = by_h5py(small_dataset, "train")
    dataset = TrajectoryDataset(small_dataset, task="forecast", normalize=True)
    for index in (0, -1, np.int64(7), slice(3), slice(60, None, 3), [5, -2], range(4), np.array([9, 9])):
        np.testing.assert_array_equal(dataset.states(index).numpy(), stored[index], strict=True)
        one, other = dataset.states(index), dataset[index][1]
        assert one.ndim == other.ndim
    assert torch.equal(dataset.states(torch.tensor(4)), dataset.states(4))
    windows = TrajectoryDataset(small_dataset, window=5, stride=5)
    np.testing.assert_array_equal(windows.states(6).numpy(), stored[1, 10:15])


@pytest.mark.parametrize("index", ["0", 1.0, None, [[0, 1]], [True, False]])
def test_what_numbers_no_sample_is_an_index_error(small_dataset, index):
    dataset = TrajectoryDataset(small_dataset)
    for get in (dataset.__getitem__, dataset.states):
        with pytest.raises(IndexError, match="index of"):
            get(index)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"parameters": "rho"},
            r"parameters is the text 'rho'; expected a list of names, as in parameters=\['rho'\]",
        ),
        ({"parameters": 3}, "parameters is 3; expected a list of names"),
        ({"parameters": ["mu", "mu"]}, "mu, mu; expected each name once"),
        ({"parameters": ["rho"]}, "has no parameter 'rho'; it has mu"),
        ({"window": "all"}, "window is 'all'; expected a whole number of 1 or more"),
        ({"window": 0}, "window is 0"),
        ({"window": 22}, "window of 22 samples, but the trajectories have 21"),
        ({"stride": 1.5}, "stride is 1.5"),
        ({"normalize": "train"}, "normalize is 'train'; expected True, False or a Normalizer"),
        ({"task": ["forecast"]}, "no task .*; there are initial-value, forecast"),
    ],
)
def test_impossible_options_are_refused_by_name(small_dataset, options, expected):
    with pytest.raises(DataError, match=expected):
        TrajectoryDataset(small_dataset, **options)


@pytest.mark.parametrize("index", [70, -71, 10**12, [0, 70], [-71, 3], np.array([5, 99]), torch.tensor([70])])
def test_numbers_out_of_range_are_an_index_error(small_dataset, index):
    with pytest.raises(IndexError):
        TrajectoryDataset(small_dataset)[index]


def test_going_through_a_dataset_ends_by_itself(small_dataset):
    assert sum(1 for _ in TrajectoryDataset(small_dataset, "test")) == 10


def test_torchs_own_data_loader_gives_the_same_samples(small_dataset):
    dataset = TrajectoryDataset(small_dataset, task="forecast")
    own = list(DataLoader(dataset, batch_size=16))
    ours = list(make_loader(dataset, 16))
    assert len(own) == len(ours) == 5
    for (inputs, targets), (our_inputs, our_targets) in zip(own, ours, strict=True):
        assert torch.equal(inputs, our_inputs)
        assert torch.equal(targets, our_targets)
    shuffled = DataLoader(dataset, batch_size=7, shuffle=True, generator=torch.Generator().manual_seed(0))
    total = sum(targets.double().sum() for _, targets in shuffled)
    assert total == pytest.approx(by_h5py(small_dataset, "train")[:, 1:].astype(np.float64).sum(), rel=1e-6)


def test_the_loader_gives_batches_of_the_states_in_the_files(small_dataset):
    states = by_h5py(small_dataset, "train")
    loader = make_loader(TrajectoryDataset(small_dataset), 16, shuffle=True, seed=4)
    order = loader.order(0)
    for number, (_, targets) in enumerate(loader):
        np.testing.assert_array_equal(targets.numpy(), states[order[16 * number : 16 * (number + 1)]])
        assert targets.dtype == torch.float32


def batches(dataset, **options):
    return list(make_loader(dataset, 16, shuffle=True, seed=1, **options))


# From 3.12 on Python warns of any fork in a process that has threads, as every process with torch has.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
@pytest.mark.parametrize("kind", ["contiguous", "gzip"])
def test_workers_give_the_same_batches_as_none(small_dataset, tmp_path, start_method, kind, monkeypatch):
    folder = small_dataset
    if kind == "gzip":
        folder = compressed_copy(small_dataset, tmp_path)
    monkeypatch.setattr("trajstore.data.batches.loader.BLOCK_ROWS", 16)
    dataset = TrajectoryDataset(folder)
    expected = batches(dataset)  # opens files in this process, which workers must not share
    found = batches(dataset, workers=1 if start_method == "spawn" else 2, start_method=start_method)
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def compressed_copy(folder, tmp_path):
    """The same dataset through gzip, in chunks of a few rows."""
    target = tmp_path / "compressed"
    shutil.copytree(folder, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", 5 * 21 * 2 * 4)
        for path in target.glob("*.h5"):
            shard_module.write_shard(path, shard_module.read_shard(path), "gzip")
    return target


@pytest.mark.slow
@given(data=st.data())
def test_compressed_shards_give_what_plain_ones_give(small_dataset, tmp_path_factory, data):
    target = tmp_path_factory.getbasetemp() / "compressed"
    if not target.exists():
        compressed_copy(small_dataset, target.parent)
    window = data.draw(st.integers(2, 21))
    make = partial(TrajectoryDataset, task="forecast", window=window, stride=data.draw(st.integers(1, 5)))
    plain, chunked = make(small_dataset), make(target)
    index = data.draw(st.lists(st.integers(-len(plain), len(plain) - 1), min_size=1, max_size=50))
    for one, other in zip(plain[index], chunked[index], strict=True):
        assert torch.equal(one, other)


def test_a_dataset_in_double_precision_gives_single_precision_tensors(failing_dataset):
    with h5py.File(failing_dataset / "train-00000.h5") as file:
        assert file["state"].dtype == np.float64
    inputs, targets = TrajectoryDataset(failing_dataset)[0]
    assert inputs.dtype == targets.dtype == torch.float32


def test_the_ranks_share_the_batches_of_one_process(small_dataset):
    dataset = TrajectoryDataset(small_dataset)
    alone = list(make_loader(dataset, 12, shuffle=True, seed=2, drop_last=True))
    shares = [
        list(make_loader(dataset, 4, shuffle=True, seed=2, drop_last=True, rank=rank, world_size=3))
        for rank in range(3)
    ]
    assert len(alone) == 5
    for step, (_, targets) in enumerate(alone):
        together = torch.stack([share[step][1] for share in shares], dim=1).reshape(12, 21, 2)
        assert torch.equal(together, targets)


def test_batches_are_the_readers_own_and_may_be_changed_in_place(small_dataset):
    dataset = TrajectoryDataset(small_dataset)
    _, targets = dataset[[3, 4]]
    expected = targets.clone()
    targets.mul_(0)
    assert torch.equal(dataset[[3, 4]][1], expected)


@pytest.mark.parametrize("kind", ["missing", "empty folder", "text file", "folder of shards"])
def test_a_path_that_is_no_dataset_is_refused_by_name(small_dataset, tmp_path, kind):
    path = tmp_path / "dataset"
    match kind:
        case "empty folder":
            path.mkdir()
        case "text file":
            path.write_text("hello")
        case "folder of shards":  # what a killed run leaves: no manifest yet
            shutil.copytree(small_dataset, path)
            (path / "manifest.json").unlink()
    with pytest.raises(FormatError, match=str(path)):
        TrajectoryDataset(path)


def test_a_compressed_dataset_comes_out_of_generate_with_the_same_contents(
    small_dataset, experiment, tmp_path
):
    generate(experiment(dataset={"compression": "gzip"}), tmp_path / "gzip", jobs=1)
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(by_h5py(tmp_path / "gzip", split), by_h5py(small_dataset, split))
    with h5py.File(tmp_path / "gzip" / "train-00000.h5") as file:
        assert file["state"].compression == "gzip"


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (np.float64, torch.float64),
        (np.dtype("<f8"), torch.float64),
        (np.dtype(">f4"), torch.float32),
        (float, torch.float64),
        ("float64", torch.float64),
        ("torch.float64", torch.float64),
        ("float32", torch.float32),
        ("f8", torch.float64),
    ],
)
def test_samples_have_the_type_that_is_asked_for(dtype, expected, failing_dataset):
    dataset = TrajectoryDataset(failing_dataset, "train", dtype=dtype)
    inputs, targets = dataset[3]
    assert {inputs.dtype, targets.dtype, dataset.states(0).dtype, dataset.states([0, 1]).dtype} == {expected}
    assert dataset.sample_bytes == (inputs.nbytes + targets.nbytes)
    assert dataset.dtype == expected


@pytest.mark.slow
def test_float64_samples_are_what_is_stored_and_what_float32_rounds(failing_dataset):
    stored = read_shard(failing_dataset / "train-00000.h5")
    exact = TrajectoryDataset(failing_dataset, "train", dtype=torch.float64)
    row = int(np.flatnonzero(stored.status == 0)[0])
    np.testing.assert_array_equal(exact[0][1].numpy(), stored.state[row])
    for normalize in (False, True):
        wide = TrajectoryDataset(failing_dataset, "train", normalize=normalize, dtype="float64")
        narrow = TrajectoryDataset(failing_dataset, "train", normalize=normalize)
        torch.testing.assert_close(wide[:][1].float(), narrow[:][1])
        for shuffle in (True, "block"):
            for inputs, targets in make_loader(wide, 4, shuffle=shuffle):
                assert inputs.dtype == targets.dtype == torch.float64


@pytest.mark.parametrize(
    "dtype", ["int64", torch.int64, torch.float16, "half", None, "no", 3, object, complex]
)
def test_a_type_that_samples_cannot_have_is_an_error_that_lists_those_that_they_can(dtype, small_dataset):
    with pytest.raises(DataError, match=r"dtype is .*; expected one of float32, float64"):
        TrajectoryDataset(small_dataset, dtype=dtype)


def test_what_users_meet_tells_in_a_line_what_it_is(small_dataset, failing_dataset):
    dataset = TrajectoryDataset(small_dataset, "validation", "forecast", window=8, stride=4, normalize=True)
    line = repr(dataset)
    for part in (
        "TrajectoryDataset", "van-der-pol", "validation", "20 rows of 21 points", "windows of 8, 4 apart",
        "x1, x2", "forecast", "float32", "normalized", str(small_dataset),
    ):  # fmt: skip
        assert part in line
    failed = TrajectoryDataset(failing_dataset, dtype=torch.float64)
    assert f"{failed.trajectories} rows ({failed.failed} more failed) of 21 points;" in repr(failed)
    assert "float64" in repr(failed)
    loader = make_loader(dataset, 16, shuffle=True, seed=7, world_size=2, rank=1)
    assert "3 batches of 16 an epoch, shuffle True, seed 7; rank 1 of 2" in repr(loader)
    assert line in repr(loader)
    assert "70 train, 20 validation, 10 test rows" in repr(load_manifest(small_dataset))
    shard = repr(read_shard(small_dataset / "train-00001.h5"))
    assert "van-der-pol, train from row 32, 32 x 21 x 2" in shard
    for told in (line, repr(loader), repr(load_manifest(small_dataset)), shard, repr(dataset.store)):
        assert "\n" not in told
        assert len(told) < 600


def test_many_components_are_counted_not_listed(make_shard, write_dataset, tmp_path):
    names = tuple(f"u{number}" for number in range(40))
    folder = write_dataset(tmp_path / "wide", {"train": [make_shard(4, 5, names)]})
    assert "u5, ... (40 in all)" in repr(TrajectoryDataset(folder))
    assert len(repr(TrajectoryDataset(folder))) < 400
