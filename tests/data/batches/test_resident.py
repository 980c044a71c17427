"""A dataset on a device gives the batches of the one on disk, bit for bit."""

import pytest
import torch
from trajstore.data import TrajectoryDataset, make_loader
from trajstore.data.batches.device_dataset import ResidentDataset, resident_bytes
from trajstore.pipeline import generate


@pytest.fixture(scope="module")
def family(experiment, tmp_path_factory):
    """Rows that differ in a parameter, in three shards."""
    folder = tmp_path_factory.mktemp("family") / "dataset"
    system = {"name": "harmonic", "parameters": {"omega": {"uniform": [0.5, 3.0]}}}
    generate(experiment(system=system), folder, jobs=1)
    return folder


def assert_same_batches(dataset, monkeypatch, **options):
    # Blocks that end in the middle of a shard, and on their way to the device in the middle of another.
    monkeypatch.setattr("trajstore.data.batches.loader.BLOCK_ROWS", 24)
    monkeypatch.setattr("trajstore.data.batches.device_dataset.BLOCK_BYTES", 2000)
    resident = ResidentDataset(dataset, "cpu")
    assert len(resident) == len(dataset)
    plain, held = (make_loader(which, 8, shuffle=True, seed=3, **options) for which in (dataset, resident))
    assert len(plain) == len(held)
    steps, same = plain.steps(5), held.steps(5)
    for _ in range(2 * len(plain)):
        for expected, found in zip(next(steps), next(same), strict=True):
            assert torch.equal(expected, found)
            assert expected.stride() == found.stride()


@pytest.mark.parametrize("task", ["initial-value", "forecast"])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("window", [{}, {"window": 8, "stride": 5}, {"window": 20}])
@pytest.mark.parametrize("parameters", [(), ("omega",)])
def test_batches_are_the_same(family, task, normalize, window, parameters, monkeypatch):
    dataset = TrajectoryDataset(family, "train", task, normalize=normalize, parameters=parameters, **window)
    assert_same_batches(dataset, monkeypatch)
    assert_same_batches(dataset, monkeypatch, drop_last=True, rank=1, world_size=3)


@pytest.mark.parametrize("window", [{}, {"window": 6, "stride": 2}])
def test_failed_rows_are_left_out_and_doubles_rounded_as_on_disk(failing_dataset, window, monkeypatch):
    dataset = TrajectoryDataset(failing_dataset, "train", normalize=True, **window)
    assert dataset.failed
    assert_same_batches(dataset, monkeypatch)


def test_its_bytes_are_known_beforehand(family):
    dataset = TrajectoryDataset(family, "train", parameters=["omega"], window=5)
    resident = ResidentDataset(dataset, "cpu")
    held = [value for value in vars(resident).values() if isinstance(value, torch.Tensor)]
    assert sum(tensor.nbytes for tensor in held) == resident_bytes(dataset) == 4 * 70 * (21 * 2 + 1)
