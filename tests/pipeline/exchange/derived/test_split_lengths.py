"""Datasets whose splits have times of their own are cut, joined, exported and mended like others."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError, Manifest, examine, load_manifest, read_shard, verify
from trajstore.data.folder.names import CHECKSUMS, MANIFEST
from trajstore.pipeline import Selection, export, generate, merge, reintegrate, select
from trajstore.pipeline.audit.repair import repair
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.config import experiment as experiment_module
from trajstore.pipeline.draw.dataset import plot_dataset

POINTS = {"train": 51, "validation": 11, "test": 21}


def made(experiment, seed=0, splits=None, **dataset):
    splits = splits or {"train": {"duration": 5.0}, "validation": {"duration": 1.0}}
    rows = {"train": 8, "validation": 5, "test": 6, "shard_rows": 5, "dtype": "float64", "seed": seed}
    return experiment(grid={"splits": splits}, dataset={**rows, **dataset})


@pytest.fixture(scope="module")
def lengths(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lengths") / "dataset"
    config = made(experiment, diagnostics=["lyapunov_exponent"])
    generate(config, folder, jobs=1)
    return folder


def sound(folder):
    assert examine(folder).problems == []
    assert reintegrate(folder, 40).problems == []
    return load_manifest(folder)


@pytest.mark.slow
def test_a_selection_keeps_what_is_left_of_each_split(lengths, tmp_path):
    select(lengths, tmp_path / "cut", Selection(time=(0.5, 3.0), stride=2))
    manifest = sound(tmp_path / "cut")
    for split, points in POINTS.items():
        whole, cut = (read_shard(folder / f"{split}-00000.h5") for folder in (lengths, tmp_path / "cut"))
        assert len(cut.time) == len(range(5, min(31, points), 2))
        np.testing.assert_array_equal(cut.time, whole.time[5 : min(31, points) : 2])
        np.testing.assert_array_equal(cut.state, whole.state[:, 5 : min(31, points) : 2])
    grid = manifest.config["grid"]
    assert grid["diagnosed"] == {"duration": 5.0, "points": 51}
    assert grid["splits"]["test"]["diagnosed"] == {"duration": 2.0, "points": 21}


@pytest.mark.slow
def test_a_part_of_the_rows_keeps_the_grids(lengths, tmp_path):
    manifest = select(lengths, tmp_path / "cut", Selection(rows=(1, 4)))
    assert sound(tmp_path / "cut") == manifest
    assert manifest.format_version == 3


@pytest.mark.slow
def test_where_one_grid_is_left_it_is_a_dataset_like_any_other(lengths, tmp_path):
    manifest = select(lengths, tmp_path / "test", Selection(splits=["test"]))
    assert sound(tmp_path / "test") == manifest
    assert (manifest.format_version, manifest.config["grid"]) == (
        1,
        {"duration": 2.0, "points": 21, "resample": "dense"},
    )
    same = select(lengths, tmp_path / "same", Selection(time=(0.0, 1.0)))
    assert same.format_version == 3
    # All splits are cut to the times of the shortest, of which validation is stated by its steps.
    assert sound(tmp_path / "same").config["grid"]["splits"]["validation"] == {"duration": 1.0, "points": 11}


def test_nothing_left_of_a_split_is_told(lengths, tmp_path):
    arguments = ["select", str(lengths), "--out", str(tmp_path / "out"), "--time", "1.5:"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert "0 of 11 samples of validation are left" in done.stderr
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(main, [*arguments, "--split", "train"]).exit_code == 0


@pytest.mark.slow
def test_a_split_without_rows_leaves_none(experiment, tmp_path):
    generate(made(experiment, validation=0), tmp_path / "data", jobs=1)
    with pytest.raises(DataError, match="no rows are left"):
        select(tmp_path / "data", tmp_path / "none", Selection(splits=["validation"]))
    assert select(tmp_path / "data", tmp_path / "all", Selection()).format_version == 3


@pytest.mark.slow
def test_they_are_joined_where_the_grids_of_each_split_agree(experiment, lengths, tmp_path):
    config = made(experiment, seed=1, diagnostics=["lyapunov_exponent"])
    generate(config, tmp_path / "more", jobs=1)
    manifest = merge([lengths, tmp_path / "more"], tmp_path / "both")
    assert sound(tmp_path / "both") == manifest
    assert manifest.config["grid"] == load_manifest(lengths).config["grid"]
    assert {name: split.trajectories for name, split in manifest.splits.items()} == {
        "train": 16,
        "validation": 10,
        "test": 12,
    }


@pytest.mark.slow
def test_splits_of_two_datasets_make_one(experiment, tmp_path):
    """One long row to learn from and many short ones to be judged on, made apart."""
    for name, duration, seed in (("long", 9.0, 1), ("short", 1.0, 2)):
        config = experiment(
            grid={"duration": duration}, dataset={"train": 2, "validation": 0, "test": 2, "seed": seed}
        )
        generate(config, tmp_path / name, jobs=1)
    select(tmp_path / "long", tmp_path / "train", Selection(splits=["train"]))
    select(tmp_path / "short", tmp_path / "test", Selection(splits=["test"]))
    manifest = merge([tmp_path / "train", tmp_path / "test"], tmp_path / "both")
    assert sound(tmp_path / "both") == manifest
    assert manifest.config["grid"] == {
        "duration": 9.0,
        "points": 91,
        "resample": "dense",
        "splits": {"test": {"duration": 1.0, "points": 11}},
    }


@pytest.mark.slow
def test_files_hold_as_many_rows_as_the_length_of_their_split_allows(experiment, tmp_path, monkeypatch):
    # A file for 60 points, so that rows are few.
    monkeypatch.setattr(experiment_module, "rows_of_shard", lambda points, *_: max(1, 60 // points))
    expected = {"train": [1] * 8, "validation": [5], "test": [2, 2, 2]}

    def sizes(manifest):
        return {name: [shard.rows for shard in split.shards] for name, split in manifest.splits.items()}

    for seed in (0, 1):
        config = made(experiment, seed, shard_rows=None)
        assert sizes(generate(config, tmp_path / str(seed), jobs=1).manifest) == expected
        assert verify(tmp_path / str(seed)) == []
    for time in ((None, None), (0.1, None)):
        selection = Selection(time=time)
        assert sizes(select(tmp_path / "0", tmp_path / str(time), selection)) == expected
    both = merge([tmp_path / "0", tmp_path / "1"], tmp_path / "both")
    assert sizes(both) == {"train": [1] * 16, "validation": [5, 5], "test": [2] * 6}


@pytest.mark.slow
@pytest.mark.parametrize("rows", [0, -1, "2", None])
def test_a_number_of_rows_that_is_none_is_not_taken_from_a_stranger(lengths, tmp_path, rows, time_limit):
    manifest = load_manifest(lengths)
    config = json.loads(json.dumps(manifest.config))
    config["grid"]["splits"]["train"]["shard_rows"] = rows
    splits = {name: split.shards for name, split in manifest.splits.items()}
    folder = Path(shutil.copytree(lengths, tmp_path / "copy"))
    Manifest.of(config, manifest.system, manifest.components, splits).save(folder)
    with time_limit(60):
        found = select(folder, tmp_path / "out", Selection())
    assert [shard.rows for shard in found.splits["train"].shards] == [5, 3]


@pytest.mark.slow
def test_other_times_of_one_split_are_refused(experiment, lengths, tmp_path):
    splits = {"train": {"duration": 5.0}, "validation": {"duration": 1.5}}
    generate(made(experiment, 1, splits, diagnostics=["lyapunov_exponent"]), tmp_path / "other", jobs=1)
    done = CliRunner().invoke(
        main, ["merge", str(lengths), str(tmp_path / "other"), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert "its durations of diagnostics differ" in done.stderr
    assert f"from those of {lengths} in validation" in done.stderr
    for seed, own in enumerate((splits, None)):
        generate(made(experiment, seed, own), tmp_path / str(seed), jobs=1)
    done = CliRunner().invoke(
        main, ["merge", str(tmp_path / "0"), str(tmp_path / "1"), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert "its time grids differ" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("lost", [[MANIFEST], [CHECKSUMS], [MANIFEST, CHECKSUMS]])
def test_a_lost_manifest_comes_back_byte_for_byte(lengths, tmp_path, lost):
    folder = shutil.copytree(lengths, tmp_path / "copy")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in lost:
        (folder / name).unlink()
    if lost == [CHECKSUMS]:
        (folder / CHECKSUMS).write_text("damaged")
    repair(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert verify(folder) == []


@pytest.mark.slow
def test_each_file_of_an_export_has_the_times_of_its_split(lengths, tmp_path):
    for form in ("npz", "csv", "netcdf"):
        export(lengths, tmp_path / form, form)
    for split, points in POINTS.items():
        times = np.arange(points) / 10
        rows = {"train": 8, "validation": 5, "test": 6}[split]
        with np.load(tmp_path / f"npz/{split}.npz") as arrays:
            np.testing.assert_allclose(arrays["time"], times)
            assert arrays["state"].shape == (rows, points, 2)
        table = np.genfromtxt(tmp_path / f"csv/{split}.csv", delimiter=",", names=True)
        np.testing.assert_allclose(table["time"], np.tile(times, rows))
        with h5py.File(tmp_path / f"netcdf/{split}.nc") as file:
            assert file["state"].shape == (rows, points, 2)
            np.testing.assert_allclose(file["time"], times)


@pytest.mark.slow
def test_words_and_figures_tell_of_it(lengths, tmp_path):
    phrase = (
        "in train 51 points, t = 0 to 5, a step of 0.1; in validation 11 points, t = 0 to 1, a step of 0.1"
    )
    assert phrase in (lengths / "README.md").read_text()
    assert phrase in json.loads((lengths / "croissant.json").read_text())["description"]
    shown = CliRunner().invoke(main, ["info", str(lengths)]).output
    assert "in validation 11 points" in " ".join(shown.split())
    told = json.loads(CliRunner().invoke(main, ["info", str(lengths), "--json"]).output)
    assert told["grid"]["splits"]["validation"] == {"duration": 1.0, "points": 11}
    assert len(plot_dataset(lengths, tmp_path / "figures")) == 3
