"""A dataset that has lost a file is still told to be one, with what mends it, whatever the command."""

import pytest
from click.testing import CliRunner
from trajstore.data import TrajectoryDataset, TrajstoreError
from trajstore.data.folder.names import MANIFEST
from trajstore.pipeline import plot
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.runs.files import RunError

SHARD = "train-00000.h5"


def refused(*arguments) -> str:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 2, done.output
    return done.stderr


@pytest.mark.parametrize("command", ["info", "verify", "plot", "view"])
def test_shards_without_a_manifest_are_no_run(dataset_copy, command):
    (dataset_copy / MANIFEST).unlink()
    said = refused(command, dataset_copy)
    assert "no dataset: manifest.json is missing, but shards are there" in said
    assert f"trajstore verify --repair {dataset_copy}" in said
    assert "run:" not in said


@pytest.mark.parametrize("lost", [(), (MANIFEST,)])
def test_who_wants_a_run_is_told_that_it_is_a_dataset(dataset_copy, lost):
    for name in lost:
        (dataset_copy / name).unlink()
    assert f"{dataset_copy}: a dataset, and no run: config.json is missing" in refused(
        "evaluate", dataset_copy
    )
    with pytest.raises(RunError, match="a dataset, and no run"):
        plot(dataset_copy)


@pytest.mark.parametrize(
    "command",
    [
        ("plot",),
        ("view",),
        ("select", "--out", "OUT"),
        ("merge", "OTHER", "--out", "OUT"),
        ("export", "--format", "npz", "--out", "OUT"),
    ],
    ids=lambda command: command[0],
)
def test_a_lost_shard_points_to_verify_and_fetch(dataset_copy, small_dataset, tmp_path, command):
    (dataset_copy / SHARD).unlink()
    name, *rest = command
    places = {"OUT": tmp_path / "out", "OTHER": small_dataset}
    said = refused(name, dataset_copy, *(places.get(each, each) for each in rest))
    assert f"{SHARD}: no such file" in said
    assert f"trajstore verify {dataset_copy}" in said
    assert f"into {dataset_copy}" in said


def test_python_says_the_same(dataset_copy):
    (dataset_copy / SHARD).unlink()
    with pytest.raises(TrajstoreError, match=f"{SHARD}.*trajstore verify"):
        TrajectoryDataset(dataset_copy, split="train")


def test_of_any_other_file_nothing_is_said(tmp_path):
    assert "verify" not in refused("select", tmp_path / "other.h5", "--out", tmp_path / "out")
