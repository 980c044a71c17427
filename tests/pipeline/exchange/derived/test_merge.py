"""Merged datasets are their sources, row by row, and no trajectory lies in two splits."""

import json

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError, FormatError, Manifest, load_manifest, read_shard, verify
from trajstore.pipeline import Selection, evaluate, generate, merge, reintegrate, select, train
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.dynamics.engines.base.engine import REVISION, revision_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def strong(experiment, tmp_path_factory):
    """The same system with a stronger nonlinearity, and other initial states."""
    folder = tmp_path_factory.mktemp("strong") / "dataset"
    system = {"name": "van-der-pol", "parameters": {"mu": 2.0}, "initial_state": {"x1": [-6.0, 1.0]}}
    generate(experiment(system=system, dataset={"seed": 9, "train": 40, "shard_rows": 15}), folder, jobs=1)
    return folder


def test_rows_are_those_of_the_sources_in_order(small_dataset, strong, tmp_path):
    manifest = merge([small_dataset, strong], tmp_path / "both")
    assert verify(tmp_path / "both") == []
    for split, sizes in (("train", (70, 40)), ("validation", (20, 20)), ("test", (10, 10))):
        for name in ("state", "initial_state", "mu"):
            parts = []
            for folder in (small_dataset, strong, tmp_path / "both"):
                values = []
                for path in sorted(folder.glob(f"{split}-*.h5")):
                    with h5py.File(path) as file:
                        values.append(file[name][()])
                parts.append(np.concatenate(values))
            np.testing.assert_array_equal(parts[2], np.concatenate(parts[:2]))
        rows = []
        for path in sorted((tmp_path / "both").glob(f"{split}-*.h5")):
            with h5py.File(path) as file:
                rows += zip(file["source"][()].tolist(), file["source_row"][()].tolist(), strict=True)
        assert rows == [(number, row) for number, size in enumerate(sizes) for row in range(size)]
    named = [source["id"] for source in manifest.config["derived"]["sources"]]
    assert named == [load_manifest(folder).id for folder in (small_dataset, strong)]
    assert manifest.system["initial_state"] == {"x1": [-6.0, 5.0], "x2": [-5.0, 5.0]}
    assert "value" not in manifest.system["parameters"]["mu"]


def test_the_earliest_revision_is_stated(dataset_copy, made_before, strong, tmp_path):
    made_before(dataset_copy)
    for number, (sources, revision) in enumerate((([strong], REVISION), ([strong, dataset_copy], 0))):
        merge(sources, tmp_path / str(number))
        engine = json.loads(str(read_shard(tmp_path / str(number) / "test-00000.h5").attributes["engine"]))
        assert revision_of(engine) == revision


def test_each_row_follows_from_the_equations_with_its_own_parameters(small_dataset, strong, tmp_path):
    merge([small_dataset, strong], tmp_path / "both")
    checked = reintegrate(tmp_path / "both", 170)
    assert (checked.rows, checked.problems) == (170, [])


def test_a_model_learns_the_family_and_is_judged_with_each_rows_parameters(
    experiment, small_dataset, strong, tmp_path
):
    merge([small_dataset, strong], tmp_path / "both")
    config = experiment(training={"steps": 5, "batch": 8, "evaluate_every": 5}, evaluation={"rollouts": 20})
    train(config, tmp_path / "both", tmp_path / "run")
    metrics = evaluate(tmp_path / "run")
    assert metrics["rollout"]["trajectories"] == 20
    # Rows of different mu come to different cycles.
    assert metrics["rollout"]["period"] is None


def test_a_dataset_that_repeats_its_own_rows_is_not_asked_for_its_seed(experiment, small_dataset, tmp_path):
    system = {"name": "van-der-pol", "initial_state": {"x1": [1.0, 1.0], "x2": [0.0, 0.0]}}
    generate(experiment(system=system, dataset={"train": 3}), tmp_path / "same", jobs=1)
    with pytest.raises(DataError, match=r"occur twice: .*That dataset has it twice by itself"):
        merge([small_dataset, tmp_path / "same"], tmp_path / "out")


def test_a_trajectory_may_not_occur_twice(experiment, small_dataset, tmp_path):
    with pytest.raises(DataError, match=r"100 trajectories occur twice: .*same seed"):
        merge([small_dataset, small_dataset], tmp_path / "out")
    generate(experiment(dataset={"train": 75}), tmp_path / "grown", jobs=1)
    select(tmp_path / "grown", tmp_path / "new", Selection(splits=["train"], rows=(70, None)))
    with pytest.raises(DataError, match="occur twice"):
        merge([small_dataset, tmp_path / "grown"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    merge([small_dataset, tmp_path / "new"], tmp_path / "out")
    assert load_manifest(tmp_path / "out").splits["train"].trajectories == 75


OTHER = {
    "equations": {"system": {"name": "o", "equations": {"x1": "x2", "x2": "-x1"}, "parameters": {"mu": 0.1},
                             "initial_state": {"x1": [-1.0, 1.0], "x2": [-1.0, 1.0]}}},
    "time grids": {"grid": {"duration": 1.0}},
    "dtypes": {"dataset": {"dtype": "float64"}},
    "states": {"system": {"name": "o", "equations": {"x": "1"}, "initial_state": {"x": [-1.0, 1.0]}}},
}  # fmt: skip


@pytest.mark.parametrize("what", OTHER)
def test_datasets_of_different_kinds_are_refused_with_the_difference(
    experiment, small_dataset, tmp_path, what
):
    generate(experiment(**OTHER[what]), tmp_path / "other", jobs=1)
    done = CliRunner().invoke(
        main, ["merge", str(small_dataset), str(tmp_path / "other"), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert f"its {what} differ" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_config_of_a_stranger_is_one_clear_error(experiment, small_dataset, tmp_path):
    generate(experiment(dataset={"seed": 5}), tmp_path / "other", jobs=1)
    manifest = load_manifest(tmp_path / "other")
    config = {**manifest.config, "dataset": {**manifest.config["dataset"], "diagnostics": 5}}
    splits = {name: split.shards for name, split in manifest.splits.items()}
    Manifest.of(config, manifest.system, manifest.components, splits).save(tmp_path / "other")
    with pytest.raises(FormatError, match=r"other: dataset\.diagnostics: got 5"):
        merge([small_dataset, tmp_path / "other"], tmp_path / "out")
    config = {**manifest.config, "grid": {**manifest.config["grid"], "initial_time": "0"}}
    (tmp_path / "other/manifest.json").unlink()
    Manifest.of(config, manifest.system, manifest.components, splits).save(tmp_path / "other")
    with pytest.raises(FormatError, match=r"other: grid\.initial_time: got '0'"):
        merge([small_dataset, tmp_path / "other"], tmp_path / "out")


def commands(*lines: str) -> list:
    return [CliRunner().invoke(main, line.split()) for line in lines]


@pytest.mark.parametrize("first", ["cut", "made"])
def test_a_dataset_cut_to_the_grid_of_another_is_of_its_kind(experiment, small_dataset, tmp_path, first):
    short = tmp_path / "made"
    generate(experiment(grid={"duration": 1.0}, dataset={"seed": 5}), short, jobs=1)
    (cut,) = commands(f"select {small_dataset} --time 0:1 --out {tmp_path}/cut")
    assert cut.exit_code == 0, cut.output
    second = "made" if first == "cut" else "cut"
    merged, sound = commands(
        f"merge {tmp_path}/{first} {tmp_path}/{second} --out {tmp_path}/both",
        f"verify {tmp_path}/both --reintegrate 40",
    )
    assert merged.exit_code == 0, merged.output
    assert sound.exit_code == 0, sound.output
    assert load_manifest(tmp_path / "both").splits["train"].trajectories == 140
    (late,) = commands(f"select {small_dataset} --time 1:2 --out {tmp_path}/late")
    assert late.exit_code == 0, late.output
    (refused,) = commands(f"merge {tmp_path}/made {tmp_path}/late --out {tmp_path}/none")
    assert refused.exit_code == 2
    assert "its time grids differ" in refused.stderr


def test_diagnostics_of_other_durations_do_not_merge(experiment, tmp_path):
    system = {"name": "mass-spring", "parameters": {}}
    for name, duration, seed in (("short", 1.0, 1), ("long", 2.0, 2), ("other", 2.0, 3)):
        dataset = {"train": 8, "validation": 0, "test": 0, "seed": seed, "diagnostics": ["energy_drift"]}
        config = experiment(system=system, grid={"duration": duration, "step": 0.1}, dataset=dataset)
        generate(config, tmp_path / name, jobs=1)
    *cuts, refused, merged, sound = commands(
        f"select {tmp_path}/long --time 0:1 --out {tmp_path}/half",
        f"select {tmp_path}/half --time 0:0.5 --out {tmp_path}/quarter",
        f"select {tmp_path}/other --time 0:0.5 --out {tmp_path}/same",
        f"merge {tmp_path}/short {tmp_path}/half --out {tmp_path}/none",
        f"merge {tmp_path}/quarter {tmp_path}/same --out {tmp_path}/both",
        f"verify {tmp_path}/both --reintegrate 16",
    )
    assert [done.exit_code for done in cuts] == [0, 0, 0]
    assert refused.exit_code == 2
    assert "its durations of diagnostics differ from those of" in refused.stderr
    assert "{'duration': 2.0, 'points': 21}, expected {'duration': 1.0, 'points': 11}" in refused.stderr
    assert (merged.exit_code, sound.exit_code) == (0, 0), merged.output + sound.output
    grid = load_manifest(tmp_path / "both").config["grid"]
    assert (grid["points"], grid["diagnosed"]) == (6, {"duration": 2.0, "points": 21})


def test_the_command(small_dataset, strong, tmp_path):
    done = CliRunner().invoke(
        main, ["merge", str(strong), str(small_dataset), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert "110 train, 40 validation, 20 test rows" in done.stdout
    done = CliRunner().invoke(main, ["merge", str(strong), str(tmp_path), "--out", str(tmp_path / "no")])
    assert done.exit_code == 2
    assert "no dataset" in done.stderr


def test_what_is_made_of_others_may_have_a_title_and_creator_of_its_own(small_dataset, strong, tmp_path):
    plain = merge([small_dataset, strong], tmp_path / "plain")
    for path, arguments in (("merged", ["merge", str(strong)]), ("chosen", ["select", "--rows", "0:9"])):
        command, *others = arguments
        words = ["--title", "A cut", "--creator", "C, D", "--out", str(tmp_path / path)]
        result = CliRunner().invoke(main, [command, str(small_dataset), *others, *words])
        assert result.exit_code == 0, result.output
        manifest = load_manifest(tmp_path / path)
        assert (manifest.config["dataset"]["title"], manifest.config["dataset"]["creator"]) == (
            "A cut",
            "C, D",
        )
        # Whose it was stays known.
        before = load_manifest(small_dataset).config["dataset"]
        first = manifest.config["derived"]["sources"][0]
        assert (first["title"], first["creator"]) == (before["title"], before["creator"])
        assert verify(tmp_path / path) == []
        card = (tmp_path / path / "README.md").read_text()
        assert "C, D: A cut. Dataset " in card
        assert load_manifest(small_dataset).id in card
    assert "title" not in plain.config["derived"]["sources"][0]
    with pytest.raises(DataError, match="title is 3"):
        merge([small_dataset, strong], tmp_path / "none", title=3)
    assert not (tmp_path / "none").exists()
