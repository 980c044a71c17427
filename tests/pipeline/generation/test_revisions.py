"""A dataset that another revision of the engines began goes on only if its rows come out the same."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import TrajstoreError, load_manifest, read_shard, verify
from trajstore.data.base.hashing import canonical_json
from trajstore.pipeline import generate
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.dynamics import random_rows as sampling
from trajstore.pipeline.dynamics.engines.base.engine import REVISION
from trajstore.pipeline.generation.revisions import OtherRevisionError

pytestmark = pytest.mark.slow

GROWN = {"train": 140}


def change(folder, forge, file="validation-00000.h5", by=0.01, row=5, **attributes):
    """Let one row of a shard be another one, with all hashes right."""
    state = read_shard(folder / file).state.copy()
    state[row, 1:] *= 1 + by
    forge(folder, file, state=state, attributes=attributes)


def test_one_whose_rows_come_out_the_same_grows_to_the_same_id(
    experiment, dataset_copy, made_before, tmp_path
):
    made_before(dataset_copy)
    summary = generate(experiment(dataset=GROWN), dataset_copy, jobs=1)
    # The last shard of train was not full.
    assert (summary.compared, summary.reused, summary.written) == (5, 4, 3)
    fresh = generate(experiment(dataset=GROWN), tmp_path / "fresh", jobs=1)
    assert summary.manifest.id == fresh.manifest.id
    assert verify(dataset_copy) == []
    assert "revision" not in read_shard(dataset_copy / "train-00000.h5").attributes["engine"]


def test_one_that_was_interrupted_goes_on(experiment, dataset_copy, made_before, small_dataset):
    made_before(dataset_copy)
    for name in ("manifest.json", "train-00001.h5"):
        (dataset_copy / name).unlink()
    assert generate(experiment(), dataset_copy, jobs=1).manifest.id == load_manifest(small_dataset).id


def test_one_that_is_finished_is_left_alone(experiment, dataset_copy, made_before, forge, contents):
    change(dataset_copy, forge)
    made_before(dataset_copy)
    generate(experiment(), dataset_copy, jobs=1)
    before = contents(dataset_copy)
    summary = generate(experiment(), dataset_copy, jobs=1, overwrite=True)
    assert (summary.written, summary.compared) == (0, 0)
    assert contents(dataset_copy) == before
    assert "revision" not in read_shard(dataset_copy / "train-00000.h5").attributes["engine"]


@pytest.mark.parametrize("unfinished", ["grows", "lacks a shard"])
def test_one_whose_rows_come_out_otherwise_is_refused(
    unfinished, experiment, dataset_copy, made_before, forge, contents, tmp_path
):
    change(dataset_copy, forge)
    made_before(dataset_copy)
    if unfinished == "lacks a shard":
        (dataset_copy / "test-00000.h5").unlink()
    before = contents(dataset_copy)
    sizes = GROWN if unfinished == "grows" else {}
    with pytest.raises(OtherRevisionError) as refused:
        generate(experiment(dataset=sizes), dataset_copy, jobs=1)
    said = str(refused.value)
    for part in (
        "validation-00000.h5",
        "revision 0",
        f"revision {REVISION}",
        "1 of its 20 rows",
        "--overwrite",
        "another folder",
    ):
        assert part in said
    assert contents(dataset_copy) == before
    # All of it anew, as the message says.
    summary = generate(experiment(dataset=sizes), dataset_copy, jobs=1, overwrite=True)
    fresh = generate(experiment(dataset=sizes), tmp_path / "fresh", jobs=1)
    assert summary.manifest == fresh.manifest
    assert {name: kept for name, (kept, _) in contents(dataset_copy).items()} == {
        name: kept for name, (kept, _) in contents(tmp_path / "fresh").items()
    }


def test_one_that_is_a_shard_not_full_is_compared_too(experiment, dataset_copy, made_before, forge, contents):
    few = {"validation": 0, "test": 0}
    for path in dataset_copy.iterdir():
        path.unlink()
    generate(experiment(dataset={**few, "train": 20}), dataset_copy, jobs=1)
    made_before(dataset_copy)
    generate(experiment(dataset={**few, "train": 25}), dataset_copy, jobs=1)
    made_before(dataset_copy)
    change(dataset_copy, forge, file="train-00000.h5")
    before = contents(dataset_copy)
    with pytest.raises(OtherRevisionError, match="1 of its 25 rows"):
        generate(experiment(dataset={**few, "train": 30}), dataset_copy, jobs=1)
    assert contents(dataset_copy) == before
    generate(experiment(dataset={**few, "train": 30}), dataset_copy, jobs=1, overwrite=True)
    assert verify(dataset_copy) == []


def test_a_row_that_failed_then_and_does_not_now_is_another(experiment, dataset_copy, made_before, forge):
    shard = read_shard(dataset_copy / "train-00000.h5")
    state, status = shard.state.copy(), shard.status.copy()
    state[3], status[3] = np.nan, 2
    forge(dataset_copy, "train-00000.h5", state=state, status=status)
    made_before(dataset_copy)
    with pytest.raises(OtherRevisionError, match="1 of its 32 rows come out otherwise"):
        generate(experiment(dataset=GROWN), dataset_copy, jobs=1)


def test_other_libraries_may_change_last_bits_and_no_more(experiment, dataset_copy, made_before, forge):
    shard = read_shard(dataset_copy / "validation-00000.h5")
    software = json.loads(str(shard.attributes["software"])) | {"heyoka": "0.0.1"}
    ulp = np.finfo(np.float32).eps
    change(dataset_copy, forge, by=ulp)
    made_before(dataset_copy)
    larger = experiment(dataset=GROWN)
    with pytest.raises(OtherRevisionError):
        generate(larger, dataset_copy, jobs=1)
    forge(dataset_copy, "validation-00000.h5", attributes={"software": canonical_json(software)})
    kept = shutil.copytree(dataset_copy, dataset_copy.with_name("kept"))
    generate(larger, dataset_copy, jobs=1)
    assert verify(dataset_copy) == []
    change(kept, forge, by=1e-4)
    with pytest.raises(OtherRevisionError, match=r"heyoka 0\.0\.1 \(here "):
        generate(larger, kept, jobs=1)


def test_a_large_seed_of_before_cannot_go_on(experiment, made_before, tmp_path, monkeypatch):
    dataset = {"train": 32, "validation": 0, "test": 0, "seed": 2**32 + 7}
    with monkeypatch.context() as patch:
        patch.setattr(sampling, "WIDE_REVISION", REVISION + 1)
        generate(experiment(dataset=dataset), tmp_path, jobs=1)
    made_before(tmp_path)
    with pytest.raises(OtherRevisionError, match="32 of its 32 rows"):
        generate(experiment(dataset={**dataset, "train": 64}), tmp_path, jobs=1)


def test_the_command_ends_with_2_and_says_why(dataset_copy, made_before, forge, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        '[system]\nname = "van-der-pol"\nparameters = { mu = 0.1 }\n[grid]\nduration = 2.0\nstep = 0.1\n'
        "[dataset]\ntrain = 96\nvalidation = 20\ntest = 10\nshard_rows = 32\n"
    )
    change(dataset_copy, forge)
    made_before(dataset_copy)
    arguments = ["generate", str(config), "--out", str(dataset_copy), "--jobs", "2"]
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 2, run.output
    assert "come out otherwise" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_revision_that_is_none_is_named(experiment, dataset_copy, forge):
    forge(dataset_copy, "test-00000.h5", attributes={"engine": '{"name":"heyoka","revision":"new"}'})
    with pytest.raises(TrajstoreError, match=r"test-00000\.h5: an engine of revision 'new'"):
        generate(experiment(dataset=GROWN), dataset_copy, jobs=1)
