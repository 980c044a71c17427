"""What is selected is what the source holds there, and still follows from the equations."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError, FormatError, TrajectoryDataset, load_manifest, read_shard, verify
from trajstore.pipeline import Selection, reintegrate, select
from trajstore.pipeline.cli.main import main


def by_h5py(folder, split, name="state") -> np.ndarray:
    parts = []
    for path in sorted(folder.glob(f"{split}-*.h5")):
        with h5py.File(path) as file:
            parts.append(file[name][()])
    return np.concatenate(parts)


@pytest.mark.slow
def test_everything_selected_is_the_source_again(small_dataset, tmp_path):
    manifest = select(small_dataset, tmp_path / "all", Selection())
    assert verify(tmp_path / "all") == []
    for split in ("train", "validation", "test"):
        for name in ("state", "initial_state", "time", "mu", "status", "trajectory"):
            expected = by_h5py(small_dataset, split, name)
            np.testing.assert_array_equal(by_h5py(tmp_path / "all", split, name), expected, strict=True)
        np.testing.assert_array_equal(
            by_h5py(tmp_path / "all", split, "source_row"), by_h5py(small_dataset, split, "trajectory")
        )
    source = load_manifest(small_dataset)
    assert manifest.id != source.id
    (named,) = manifest.config["derived"]["sources"]
    assert (named["id"], named["config_hash"]) == (source.id, source.config_hash)
    assert manifest.config["derived"]["operation"] == "select"


def test_rows_and_times_are_those_of_a_slice(small_dataset, tmp_path):
    chosen = Selection(splits=["train"], rows=(5, 61), time=(0.5, 1.5), stride=3)
    select(small_dataset, tmp_path / "part", chosen)
    np.testing.assert_array_equal(
        by_h5py(tmp_path / "part", "train"), by_h5py(small_dataset, "train")[5:61, 5:16:3]
    )
    with h5py.File(tmp_path / "part/train-00000.h5") as file:
        np.testing.assert_array_equal(file["time"], np.linspace(0, 2, 21)[5:16:3])
        np.testing.assert_array_equal(file["source_row"], np.arange(5, 37))
        np.testing.assert_array_equal(file["trajectory"], np.arange(32))
    assert verify(tmp_path / "part") == []
    assert [len(load_manifest(tmp_path / "part").splits[name].shards) for name in ("train", "test")] == [2, 0]


@pytest.mark.slow
def test_rows_that_begin_later_still_follow_from_the_equations(small_dataset, tmp_path, forge):
    select(small_dataset, tmp_path / "late", Selection(time=(0.95, 2.0)))
    checked = reintegrate(tmp_path / "late", 30)
    assert checked.problems == []
    assert checked.rows == 30
    assert checked.largest < 1e-6
    shard = read_shard(tmp_path / "late/test-00000.h5")
    state = shard.state.copy()
    state[3, 2, 0] += 1e-3
    forge(tmp_path / "late", "test-00000.h5", state=state)
    assert verify(tmp_path / "late") == []
    assert any("row 3" in line for line in reintegrate(tmp_path / "late", 100).problems)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("time", lambda shard: shard.time + 1e-9, "grid"),
        ("initial_state", lambda shard: shard.initial_state, None),
    ],
)
def test_a_selected_grid_is_held_by_its_hash(small_dataset, tmp_path, forge, name, change, message):
    select(small_dataset, tmp_path / "late", Selection(time=(0.95, 2.0)))
    shard = read_shard(tmp_path / "late/test-00000.h5")
    forge(tmp_path / "late", "test-00000.h5", **{name: change(shard)})
    found = verify(tmp_path / "late")
    assert (message is None and found == []) or any(str(message) in line for line in found)


@pytest.mark.slow
def test_rows_are_chosen_by_status(failing_dataset, tmp_path):
    expected = by_h5py(failing_dataset, "train", "status")
    for status, wanted in (("ok", expected == 0), ("diverged", expected == 1)):
        select(failing_dataset, tmp_path / status, Selection(splits=["train"], status=[status]))
        np.testing.assert_array_equal(
            by_h5py(tmp_path / status, "train", "source_row"), np.flatnonzero(wanted)
        )
        assert verify(tmp_path / status) == []
    assert 0 < (expected == 0).sum() < len(expected)


def test_rows_are_chosen_by_parameters(tmp_path, make_shard, write_dataset):
    from dataclasses import replace

    mu = np.linspace(0, 1, 50)
    source = write_dataset(tmp_path / "source", {"train": [replace(make_shard(50), parameters={"mu": mu})]})
    # Both ends are included.
    select(source, tmp_path / "part", Selection(where={"mu": (mu[12], None)}))
    np.testing.assert_array_equal(by_h5py(tmp_path / "part", "train", "mu"), mu[12:])
    select(source, tmp_path / "both", Selection(where={"mu": (mu[12], mu[24])}, rows=(15, None)))
    assert by_h5py(tmp_path / "both", "train", "source_row").tolist() == list(range(15, 25))


@pytest.mark.slow
def test_a_selection_of_a_selection_names_both(small_dataset, tmp_path):
    once = select(small_dataset, tmp_path / "once", Selection(rows=(10, 30)))
    twice = select(tmp_path / "once", tmp_path / "twice", Selection(stride=2, rows=(5, None)))
    (named,) = twice.config["derived"]["sources"]
    assert named["id"] == once.id
    assert named["derived"] == once.config["derived"]
    assert by_h5py(tmp_path / "twice", "train", "source_row").tolist() == list(range(5, 20))
    assert reintegrate(tmp_path / "twice", 20).problems == []


def test_the_same_selection_gives_the_same_bytes_and_one_file_will_do(small_dataset, tmp_path):
    for name in ("a", "b"):
        select(small_dataset / "train-00001.h5", tmp_path / name, Selection(stride=2))
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()
    }
    _, targets = TrajectoryDataset(tmp_path / "a", "train")[:]
    assert targets.shape == (32, 11, 2)
    assert by_h5py(tmp_path / "a", "train", "source_row")[0] == 32


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(rows=(1000, None)), "no rows are left"),
        (Selection(where={"nu": (0, 1)}), "nu: no such parameter; the dataset has mu"),
        (Selection(time=(0.51, 0.59)), "0 of 21 samples"),
        (Selection(stride=21), "1 of 21 samples"),
        (Selection(status=["step_limit"]), "no rows are left"),
    ],
)
def test_a_selection_of_nothing_is_an_error_and_leaves_nothing(small_dataset, tmp_path, selection, message):
    with pytest.raises(DataError, match=message):
        select(small_dataset, tmp_path / "out", selection)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_source_is_not_selected_from(dataset_copy, tmp_path):
    path = dataset_copy / "train-00001.h5"
    raw = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        raw[file["state"].id.get_offset() + 77] ^= 1
    path.write_bytes(raw)
    with pytest.raises(FormatError, match="train-00001"):
        select(dataset_copy, tmp_path / "out", Selection())
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.part").exists()


@pytest.mark.slow
def test_what_is_there_is_never_overwritten_and_leftovers_are_cleared(small_dataset, tmp_path, contents):
    select(small_dataset, tmp_path / "out", Selection())
    before = contents(tmp_path / "out")
    with pytest.raises(DataError, match="exists; choose a new or empty folder"):
        select(small_dataset, tmp_path / "out", Selection(stride=2))
    assert contents(tmp_path / "out") == before
    (tmp_path / ".new.trajstore-new/new").mkdir(parents=True)
    (tmp_path / ".new.trajstore-new/new/train-00000.h5").write_text("of a process that was killed")
    (tmp_path / "new").mkdir()
    (tmp_path / "new.part").mkdir()
    (tmp_path / "new.part/thesis.txt").write_text("mine")
    select(small_dataset, tmp_path / "new", Selection())
    assert verify(tmp_path / "new") == []
    assert {path.name for path in tmp_path.iterdir()} == {"out", "new", "new.part"}
    assert (tmp_path / "new.part/thesis.txt").read_text() == "mine"


@pytest.mark.slow
def test_a_split_that_is_named_twice_is_taken_once(small_dataset, tmp_path):
    manifest = select(small_dataset, tmp_path / "out", Selection(splits=["test", "train", "train"]))
    assert [manifest.splits[name].trajectories for name in ("train", "validation", "test")] == [70, 0, 10]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["select", "{data}", "--out", "{data}/sub"],
        ["merge", "{data}", "{data}", "--out", "{data}/sub"],
        ["export", "{data}", "--format", "csv", "--out", "{data}/sub"],
        ["generate", "{config}", "--out", "{data}/sub"],
        ["train", "{config}", "--data", "{data}", "--out", "{data}/sub"],
    ],
    ids=lambda command: command[0],
)
def test_nothing_else_is_written_into_a_dataset(dataset_copy, tmp_path, command):
    config = tmp_path / "config.toml"
    config.write_text(
        '[system]\nname = "van-der-pol"\n[grid]\nduration = 2.0\nstep = 0.1\n[dataset]\ntrain = 5\n'
    )
    done = CliRunner().invoke(main, [part.format(data=dataset_copy, config=config) for part in command])
    assert done.exit_code == 2
    assert "lies in a dataset" in done.stderr
    assert verify(dataset_copy) == []


@pytest.mark.slow
@pytest.mark.parametrize("rows", [0, -1, "x", None, 1.5])
def test_a_source_that_states_a_senseless_size_of_shards_is_cut_by_its_own(
    dataset_copy, tmp_path, time_limit, rows
):
    manifest = load_manifest(dataset_copy)
    config = {**manifest.config, "dataset": {**manifest.config["dataset"], "shard_rows": rows}}
    (dataset_copy / "manifest.json").write_text(manifest.model_copy(update={"config": config}).to_json())
    with time_limit(20):
        made = select(dataset_copy, tmp_path / "out", Selection())
    assert len(made.shards) == 5


@pytest.mark.slow
def test_the_folder_one_stands_in_can_be_filled(small_dataset, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    select(small_dataset, Path(), Selection())
    assert verify(tmp_path / "here") == []


def test_the_command(small_dataset, tmp_path):
    done = CliRunner().invoke(
        main,
        ["select", str(small_dataset), "--out", str(tmp_path / "out"), "--split", "train", "--split", "test",
         "--rows", ":8", "--time", "1:", "--stride", "2", "--where", "mu=0:1", "--status", "ok"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "8 train, 0 validation, 8 test rows" in done.stdout
    np.testing.assert_array_equal(
        by_h5py(tmp_path / "out", "test"), by_h5py(small_dataset, "test")[:8, 10::2]
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rows", "5"],
        ["--rows", "a:b"],
        ["--time", "0.5"],
        ["--where", "mu"],
        ["--where", "mu=1"],
        ["--status", "great"],
        ["--split", "training"],
        ["--stride", "0"],
    ],
)
def test_bad_arguments_are_one_message_and_write_nothing(small_dataset, tmp_path, arguments):
    done = CliRunner().invoke(
        main, ["select", str(small_dataset), "--out", str(tmp_path / "out"), *arguments]
    )
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert arguments[0] in done.stderr
    assert list(tmp_path.iterdir()) == []
