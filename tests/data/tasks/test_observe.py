"""The task `observe`: which components go in and which come out, at which points, in which units."""

import numpy as np
import pytest
import torch
from trajstore.data import DataError, TrajectoryDataset, get_task, make_loader
from trajstore.data.batches.device_dataset import ResidentDataset

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def folder(make_shard, write_dataset, tmp_path_factory):
    """30 rows of 9 points, of three components that differ in size and place."""
    shard = make_shard(rows=30, samples=9, components=NAMES, dtype="float64")
    shard.state[...] = shard.state * (1.0, 10.0, 100.0) + (5.0, 50.0, 500.0)
    shard.initial_state[...] = shard.state[:, 0]
    return write_dataset(tmp_path_factory.mktemp("observe") / "dataset", {"train": [shard]})


def observe(**settings):
    return get_task("observe", **{"inputs": ["c", "a"], "targets": ["b"], **settings})


@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize("window", [None, 4])
def test_samples_are_the_named_columns_of_the_states(folder, ahead, window):
    dataset = TrajectoryDataset(folder, task=observe(ahead=ahead), window=window, dtype="float64")
    inputs, targets = dataset[:]
    states = dataset.states(slice(None))
    length = states.shape[1]
    assert torch.equal(inputs, states[:, : length - ahead][..., [2, 0]])
    assert torch.equal(targets, states[:, ahead:][..., [1]])
    assert (dataset.input_size, dataset.target_components) == (2, ("b",))
    assert dataset.sample_bytes == 8 * length * 3


def test_each_component_is_standardised_by_its_own_moments_and_parameters_come_last(folder):
    dataset = TrajectoryDataset(folder, task=observe(), normalize=True, parameters=["mu"], dtype="float64")
    inputs, targets = dataset[:]
    states = TrajectoryDataset(folder, dtype="float64").states(slice(None)).numpy()
    scaled = (states - states.mean(axis=(0, 1))) / states.std(axis=(0, 1))
    np.testing.assert_allclose(inputs[..., :2], scaled[..., [2, 0]], atol=1e-9)
    np.testing.assert_allclose(targets, scaled[..., [1]], atol=1e-9)
    assert inputs.shape == (30, 9, 3)
    assert dataset.input_size == 3
    np.testing.assert_allclose(dataset.target_normalizer.invert(targets), states[..., [1]], rtol=1e-12)


def test_batches_are_the_same_from_a_device_and_in_blocks(folder):
    dataset = TrajectoryDataset(folder, task=observe(ahead=1), window=5, normalize=True)
    numbers = torch.tensor([3, 77, 12])
    for one, other in zip(dataset[numbers], ResidentDataset(dataset, "cpu")[numbers], strict=True):
        assert torch.equal(one, other)
    loader = make_loader(dataset, 40, shuffle="block", block_bytes=1000, buffer_bytes=8000)
    inputs, targets = (torch.cat(parts) for parts in zip(*loader, strict=True))
    for one, other in zip(dataset[loader.order(0)], (inputs, targets), strict=True):
        assert torch.equal(one, other)


def test_one_task_serves_datasets_of_other_components(folder, make_shard, write_dataset, tmp_path):
    other = write_dataset(tmp_path / "other", {"train": [make_shard(components=("b", "a", "c"))]})
    task = observe()
    for path in (folder, other, folder):
        dataset = TrajectoryDataset(path, task=task)
        place = dataset.components.index("b")
        assert torch.equal(dataset[:][1], dataset.states(slice(None))[..., [place]])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"inputs": ["a", "d"]}, r"task\.inputs: got 'd', but stored are a, b, c"),
        ({"targets": ["bb"]}, r"task\.targets: got 'bb', .*\[observation\] components.* Did you mean b\?"),
    ],
)
def test_a_component_that_is_not_stored_is_refused(folder, settings, said):
    with pytest.raises(DataError, match=said):
        TrajectoryDataset(folder, task=observe(**settings))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, r"task\.inputs: missing; .*get_task\('observe', key=value\)"),
        ({"inputs": [], "targets": ["b"]}, r"task\.inputs: got \[\], expected at least 1 entr"),
        ({"inputs": ["a", "a"], "targets": ["b"]}, r"task\.inputs: expected each name once"),
        ({"inputs": ["a"], "targets": ["b"], "ahead": 2}, r"task\.ahead: got 2, expected 0 or 1"),
    ],
)
def test_settings_that_make_no_task_are_refused(settings, said):
    with pytest.raises(DataError, match=said):
        get_task("observe", **settings)


def test_a_window_that_leaves_no_target_is_refused(folder):
    assert len(TrajectoryDataset(folder, task=observe(), window=1)) == 270
    with pytest.raises(DataError, match="at least 2"):
        TrajectoryDataset(folder, task=observe(ahead=1), window=1)
