"""Merged datasets are their sources, row by row, and no trajectory lies in two splits."""

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError, FormatError, load_manifest
from trajstore.data.manifest import Manifest
from trajstore.data.verification import verify
from trajstore.pipeline.cli import main
from trajstore.pipeline.evaluate import evaluate
from trajstore.pipeline.generate import generate
from trajstore.pipeline.reintegrate import reintegrate
from trajstore.pipeline.sharing.merge import merge
from trajstore.pipeline.sharing.select import Selection, select
from trajstore.pipeline.train import train


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


def test_a_trajectory_may_not_occur_twice(experiment, small_dataset, tmp_path):
    with pytest.raises(DataError, match="100 trajectories occur twice"):
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


def test_the_command(small_dataset, strong, tmp_path):
    done = CliRunner().invoke(
        main, ["merge", str(strong), str(small_dataset), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert "110 train, 40 validation, 20 test rows" in done.stdout
    done = CliRunner().invoke(main, ["merge", str(strong), str(tmp_path), "--out", str(tmp_path / "no")])
    assert done.exit_code == 2
    assert "no dataset" in done.stderr
