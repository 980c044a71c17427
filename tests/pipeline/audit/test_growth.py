"""A config whose only change is more rows extends a dataset, and no shard that is right is written again."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import forked
import pytest
from click.testing import CliRunner
from trajstore.data import load_manifest, verify
from trajstore.pipeline import generate
from trajstore.pipeline.cli.main import main

pytestmark = pytest.mark.slow

QUICK = Path(__file__).parents[3] / "configs/quick.toml"


def identities(folder) -> dict[str, tuple[int, int]]:
    """Inode and time of change of each shard."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.h5")}


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Rows of train, validation and test, and the old shards (of 32 rows) that cannot stay, for they were not full.
GROWTHS = {
    "into the last shard": ({"train": 71}, {"train-00002.h5"}),
    "by shards": ({"train": 140}, {"train-00002.h5"}),
    "of every split": (
        {"train": 96, "validation": 33, "test": 64},
        {"train-00002.h5", "validation-00000.h5", "test-00000.h5"},
    ),
}


@pytest.mark.parametrize("growth", GROWTHS)
def test_only_shards_that_were_not_full_are_written_again(growth, experiment, dataset_copy, tmp_path):
    sizes, rewritten = GROWTHS[growth]
    before = identities(dataset_copy)
    larger = experiment(dataset=sizes)
    generate(larger, dataset_copy, jobs=1)
    after = identities(dataset_copy)
    assert {name for name in before if after[name] != before[name]} == rewritten
    generate(larger, tmp_path / "fresh", jobs=1)
    assert bytes_of(dataset_copy) == bytes_of(tmp_path / "fresh")


def test_a_dataset_whose_shards_are_full_grows_without_writing_any_again(experiment, tmp_path):
    folder = tmp_path / "dataset"
    full = {"train": 64, "validation": 32, "test": 32}
    generate(experiment(dataset=full), folder, jobs=1)
    before = identities(folder)
    for rows in (96, 97, 160):
        generate(experiment(dataset={**full, "train": rows}), folder, jobs=1)
        assert verify(folder) == []
        assert {name: identities(folder)[name] for name in before} == before
    assert load_manifest(folder).splits["train"].trajectories == 160


def test_killed_while_it_grows_it_goes_on_and_writes_none_again(tmp_path):
    folder, fresh = tmp_path / "dataset", tmp_path / "fresh"

    def arguments(rows, out):
        settings = [f"dataset.train={rows}", "dataset.shard_rows=10000", "engine.name=heyoka"]
        options = [part for setting in settings for part in ("--set", setting)]
        return ["generate", str(QUICK), "--out", str(out), "--jobs", "2", *options]

    def run(rows, out):
        result = CliRunner().invoke(main, arguments(rows, out))
        assert result.exit_code == 0, result.output

    run(25_000, folder)
    old = identities(folder)
    command = [sys.executable, "-m", "trajstore.pipeline", *arguments(200_000, folder)]
    process = forked.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(identities(folder)) < len(old) + 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = identities(folder)
    assert not (folder / "manifest.json").exists(), "it would be untrue"
    assert {name for name in old if kept[name] != old[name]} <= {"train-00002.h5"}
    run(200_000, folder)
    after = identities(folder)
    # Its last shard before had 5000 rows, and may have been replaced only after the kill.
    assert {name for name in kept if after[name] != kept[name]} <= {"train-00002.h5"}
    assert {name: after[name] for name in old if name != "train-00002.h5"} == {
        name: identity for name, identity in old.items() if name != "train-00002.h5"
    }
    run(200_000, fresh)
    assert bytes_of(folder) == bytes_of(fresh)
    assert not [name for name in bytes_of(folder) if name.endswith((".part", ".lock"))]
