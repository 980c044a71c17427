"""Splits whose rows have times of their own: [grid.splits.test] and its like."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from trajstore.data import (
    FormatError,
    Manifest,
    TrajectoryDataset,
    examine,
    load_manifest,
    make_loader,
    read_shard,
    verify,
    write_shard,
)
from trajstore.data.base.errors import TrajstoreError
from trajstore.data.base.hashing import content_hash
from trajstore.data.folder import manifest_reading
from trajstore.data.folder.names import MANIFEST
from trajstore.pipeline import generate, reintegrate
from trajstore.pipeline.cli.main import main

SPLITS = ("train", "validation", "test")
POINTS = {"train": 51, "validation": 11, "test": 21}


@pytest.fixture(scope="module")
def lengths(experiment, tmp_path_factory):
    """van der Pol over 2 units of time, 5 in train and 1 in validation; two shards of train."""
    folder = tmp_path_factory.mktemp("lengths") / "dataset"
    generate(made(experiment), folder, jobs=1)
    return folder


def made(experiment, **sections):
    splits = {"train": {"duration": 5.0}, "validation": {"duration": 1.0}}
    dataset = {"train": 40, "validation": 5, "test": 6, "dtype": "float64", **sections.pop("dataset", {})}
    return experiment(**{"grid": {"splits": splits}, "dataset": dataset, **sections})


@pytest.mark.slow
def test_each_split_has_times_of_its_own_and_is_sound(lengths):
    assert examine(lengths).problems == []
    for split, points in POINTS.items():
        shard = read_shard(lengths / f"{split}-00000.h5")
        np.testing.assert_array_equal(shard.time, np.linspace(0.0, (points - 1) / 10, points))
        assert shard.state.shape[1] == points
        assert examine(lengths / f"{split}-00000.h5").problems == []
        assert len(TrajectoryDataset(lengths, split).time) == points
    assert reintegrate(lengths, 51).problems == []


def test_the_config_states_it_and_nothing_where_it_is_not_given(experiment, lengths):
    manifest = load_manifest(lengths)
    assert manifest.config["grid"] == {
        "duration": 2.0,
        "points": 21,
        "resample": "dense",
        "splits": {"train": {"duration": 5.0, "points": 51}, "validation": {"duration": 1.0, "points": 11}},
    }
    assert manifest.format_version == json.loads((lengths / MANIFEST).read_text())["format_version"] == 3
    plain = experiment().generation()
    for splits in ({}, {"test": {}}, {"test": {"duration": 2.0}}, {"test": {"points": 21}}):
        assert experiment(grid={"splits": splits}).generation() == plain
    assert experiment().recipe()["grid"] == {"duration": 2.0, "points": 21, "resample": "dense"}


def test_an_older_trajstore_refuses_it_by_its_version(lengths, monkeypatch):
    monkeypatch.setattr(manifest_reading, "READ", (1, 2))
    with pytest.raises(FormatError, match=r"format version 3, .*upgrade trajstore"):
        load_manifest(lengths)


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_does_not_tell_of_it_is_refused(lengths, small_dataset, version):
    for folder, stated in ((lengths, version), (small_dataset, 3)):
        text = (folder / MANIFEST).read_text()
        raw = json.loads(text) | {"format_version": stated}
        if stated == 2:
            for split in raw["splits"].values():
                split["parts"] = []
        with pytest.raises(FormatError, match=f"format_version is {stated}; expected 3 where"):
            manifest_reading.parse_manifest(json.dumps(raw), "there", lambda _: (b"", ""))


STRANGE = {
    "no table": [1],
    "none": {},
    "of no split": {"tests": {"duration": 1.0, "points": 3}},
    "no grid": {"test": 3},
    "without points": {"test": {"duration": 1.0}},
    "points that are none": {"test": {"duration": 1.0, "points": "3"}},
}


@pytest.mark.parametrize("splits", STRANGE.values(), ids=STRANGE)
def test_what_a_stranger_states_of_splits_is_looked_at(lengths, splits):
    raw = json.loads((lengths / MANIFEST).read_text())
    raw["config"]["grid"]["splits"] = splits
    with pytest.raises(FormatError, match=r"there: .*config\.grid"):
        manifest_reading.parse_manifest(json.dumps(raw), "there", lambda _: (b"", ""))


def test_a_shard_of_other_times_than_its_splits_is_found(lengths, tmp_path):
    """By the file itself, and by the manifest that lists it with hashes that are right."""
    shard = read_shard(lengths / "test-00000.h5")
    for split, problem in (("validation", True), ("test", False)):
        path = tmp_path / f"{split}-00000.h5"
        write_shard(path, replace(shard, attributes={**shard.attributes, "split": split}))
        assert [finding.text for finding in examine(path).problems] == ["the time grid is not the config's"][
            :problem
        ]
    copy = Path(shutil.copytree(lengths, tmp_path / "copy"))
    manifest = load_manifest(copy)
    config = {
        **manifest.config,
        "grid": {key: manifest.config["grid"][key] for key in ("duration", "points", "resample")},
    }
    splits = {name: split.shards for name, split in manifest.splits.items()}
    Manifest.of(config, manifest.system, manifest.components, splits).save(copy)
    said = " ".join(verify(copy))
    assert "comes from another config than the dataset's" in said


OWN = st.one_of(
    st.none(),
    st.fixed_dictionaries({"duration": st.integers(1, 30).map(lambda tenths: tenths / 10)}),
    st.fixed_dictionaries({"points": st.integers(2, 12)}),
    st.fixed_dictionaries({"step": st.sampled_from([0.1, 0.2, 0.25, 0.5])}),
    st.fixed_dictionaries({"duration": st.floats(0.1, 3.0), "points": st.integers(2, 12)}),
)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    own=st.tuples(OWN, OWN, OWN),
    by_points=st.booleans(),
    diagnostics=st.sampled_from([None, ["lyapunov_exponent"]]),
)
def test_a_split_is_that_of_a_dataset_whose_grid_is_its_own(
    experiment, tmp_path_factory, own, by_points, diagnostics
):
    folder = tmp_path_factory.mktemp("random")
    shared = {"duration": 2.0, **({"points": 21} if by_points else {"step": 0.1})}
    splits = {split: keys for split, keys in zip(SPLITS, own, strict=True) if keys is not None}
    common = {
        "dataset": {"train": 3, "validation": 2, "test": 2, "dtype": "float64", "diagnostics": diagnostics},
        "observation": {"noise": {"relative": 0.1}, "clean": True, "derivative": True},
    }
    mixed = experiment(grid={**shared, "splits": splits}, **common)
    generate(mixed, folder / "mixed", jobs=1)
    assert verify(folder / "mixed") == []
    for split in SPLITS:
        keys = splits.get(split, {})
        # Written out: what is given takes the place of what is shared, and a duration alone keeps the step of 0.1.
        alone = {"duration": keys.get("duration", 2.0)}
        alone |= {key: keys[key] for key in ("step", "points") if key in keys}
        if alone.keys() == {"duration"}:
            alone["step"] = 0.1
        generate(experiment(grid=alone, **common), folder / split, jobs=1)
        one, other = (read_shard(place / f"{split}-00000.h5") for place in (folder / "mixed", folder / split))
        assert content_hash(one.variables) == content_hash(other.variables)


@pytest.mark.slow
def test_it_grows_and_goes_on_like_any_other(experiment, tmp_path):
    folder = tmp_path / "dataset"
    generate(made(experiment, dataset={"train": 33, "test": 2}), folder, jobs=1)
    before = (folder / "test-00000.h5").read_bytes()
    grown = generate(made(experiment), folder, jobs=1)
    assert (grown.reused, grown.written) == (2, 2)
    (folder / "test-00000.h5").unlink()
    (folder / MANIFEST).unlink()
    again = generate(made(experiment), folder, jobs=2)
    assert (again.reused, again.written) == (3, 1)
    assert (folder / "test-00000.h5").read_bytes() != before
    assert verify(folder) == []
    generate(made(experiment), tmp_path / "at once", jobs=1)
    assert load_manifest(tmp_path / "at once") == again.manifest
    # Another length of one split is another dataset.
    other = experiment(grid={"splits": {"test": {"duration": 1.0}}})
    with pytest.raises(TrajstoreError, match=r"another config.*grid\.splits\.t"):
        generate(other, folder, jobs=1)


def test_files_of_a_split_hold_as_many_rows_as_its_own_length_allows(experiment, tmp_path):
    grid = {"duration": 100_000.0, "splits": {"test": {"duration": 1.0}}}
    system = {"name": "still", "equations": {"x": "-x"}, "parameters": {}, "initial_state": {"x": [0.0, 1.0]}}
    config = experiment(system=system, grid=grid, dataset={"train": 1, "test": 100, "shard_rows": None})
    assert config.shard_rows == config.shard_rows_of("train") < 100 < config.shard_rows_of("test")
    stated = config.generation()
    assert stated["dataset"]["shard_rows"] == config.shard_rows
    assert stated["grid"]["splits"]["test"]["shard_rows"] == config.shard_rows_of("test")
    few = made(experiment)
    assert few.shard_rows_of("train") == few.shard_rows_of("test") == 32


def test_samples_and_batches_are_of_each_splits_rows(lengths):
    whole = {split: TrajectoryDataset(lengths, split) for split in SPLITS}
    assert {split: dataset[0][0].shape[0] for split, dataset in whole.items()} == POINTS
    cut = {split: TrajectoryDataset(lengths, split, "forecast", window=11) for split in SPLITS}
    assert [len(cut[split]) for split in SPLITS] == [40 * 41, 5, 6 * 11]
    for shuffle in (False, True, "block"):
        batches = list(make_loader(cut["train"], batch_size=100, shuffle=shuffle))
        assert sum(len(inputs) for inputs, _ in batches) == 40 * 41


WRONG = {
    "no split": ("grid.splits.tests.duration=1.0", "grid.splits.tests: got 'tests', expected 'train'"),
    "no key": ("grid.splits.test.durations=1.0", "grid.splits.test.durations: unknown key; known here are duration"),
    "two spacings": ("grid.splits.test={ step = 0.1, points = 3 }", "grid.splits.test: expected one of step, points"),
    "a step that does not fit": ("grid.splits.test.duration=1.05", "grid.splits.test: step 0.1 does not divide"),
    "periods of a system without": ("grid.splits.test.duration={ periods = 2 }", "grid.splits.test: periods and"),
    "too long a window": ("task.window=22", "the trajectories of [grid.splits.test] have 11"),
    "another step to choose by": ("grid.splits.validation.step=0.5", "grid.splits: times of train are 0.1 apart"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(tmp_path, case):
    override, message = WRONG[case]
    path = tmp_path / "config.toml"
    path.write_text(
        '[system]\nname = "still"\nequations = { x = "-x" }\ninitial_state = { x = [0.0, 1.0] }\n'
        "[grid]\nduration = 5.0\nstep = 0.1\n[grid.splits.test]\nduration = 1.0\n"
        "[dataset]\ntrain = 2\nvalidation = 2\ntest = 2\n"
    )
    arguments = ["generate", str(path), "--out", str(tmp_path / "out"), "--set", override]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, message in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "out").exists()
