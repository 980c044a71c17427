"""A million points a trajectory: memory is bounded by the shard, and windows reach every part."""

import subprocess
import sys

import numpy as np
import pytest
from trajstore.data import TrajectoryDataset, make_loader, read_shard

pytestmark = pytest.mark.slow

POINTS = 1_000_001
CONFIG = f"""
[system]
name = "harmonic"
[grid]
duration = {{ periods = 1_000 }}
points = {POINTS}
[dataset]
train = 6
shard_rows = 2
"""


# The process says itself how much memory it took at most: its parent's peak is not its own.
GENERATE = """
from trajstore.pipeline.cli.main import main
main(["generate", "long.toml", "--out", "dataset", "--jobs", "1"], standalone_mode=False)
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""


@pytest.fixture(scope="module")
def long_dataset(tmp_path_factory):
    """Six rows of a million points in three shards, and the most memory that making them took, in bytes."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "long.toml").write_text(CONFIG)
    command = [sys.executable, "-c", GENERATE]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return folder / "dataset", int(done.stdout.split()[-1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_is_bounded_by_the_shard_not_by_the_batch(long_dataset):
    _, peak = long_dataset
    rows_of_a_shard = 2 * POINTS * 2 * 8
    # A process without rows takes 200 MB; a batch of 16 lanes would take 16 such rows several times.
    assert peak < 250e6 + 5 * rows_of_a_shard


def test_the_last_of_a_million_points_is_where_it_began(long_dataset):
    folder, _ = long_dataset
    shard = read_shard(folder / "train-00002.h5")
    np.testing.assert_allclose(shard.state[:, -1], shard.initial_state, atol=1e-6)
    assert shard.time[-1] == pytest.approx(2000 * np.pi, rel=1e-14)


def test_windows_reach_every_part_of_long_rows(long_dataset):
    folder, _ = long_dataset
    dataset = TrajectoryDataset(folder, "train", "forecast", window=1000, stride=500)
    assert len(dataset) == 6 * ((POINTS - 1000) // 500 + 1)
    seen = 0
    for inputs, targets in make_loader(dataset, 512, shuffle=True, seed=0):
        assert (inputs[:, 1:] == targets[:, :-1]).all()
        seen += len(inputs)
    assert seen == len(dataset)
    row, window = 5, dataset.windows.per_row - 1
    last = dataset[row * dataset.windows.per_row + window][1].numpy()
    stored = read_shard(folder / "train-00002.h5").state[1]
    np.testing.assert_array_equal(last, stored[window * 500 + 1 : window * 500 + 1000])
