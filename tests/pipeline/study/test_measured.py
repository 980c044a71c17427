"""The study of a measured signal: its stand-in is one long row that the command imports alike, in order of time."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import TrajectoryDataset, load_manifest, verify
from trajstore.pipeline.cli.main import main

pytestmark = pytest.mark.slow
STUDIES = Path(__file__).parents[3] / "studies"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("measured", STUDIES / "measured.py")
    measured = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(measured)
    folder = tmp_path_factory.mktemp("measured") / "signal"
    measured.main(str(folder))
    return measured, folder


def test_pieces_follow_one_another_through_the_table(written):
    measured, folder = written
    assert verify(folder) == []
    with Path(f"{folder}.csv").open(newline="") as file:
        _, *lines = csv.reader(file)
    times, values = np.array(lines, dtype=float).T
    assert len(times) == measured.POINTS - measured.DROPPED
    splits = [
        TrajectoryDataset(folder, split, dtype="float64").states(slice(None)).numpy().ravel()
        for split in ("train", "validation", "test")
    ]
    assert [len(each) for each in splits] == [20_000, 4000, 6000]
    found = np.concatenate(splits)
    places = np.rint(times / measured.STEP).astype(int)
    # Samples are the table's; what is missing lies on a curve through its neighbours.
    np.testing.assert_allclose(found[places], values, atol=1e-9)
    assert np.abs(found - measured.row()).max() < 8 * measured.NOISE * values.std()


def test_the_command_of_the_study_makes_the_same_dataset(written, tmp_path):
    measured, folder = written
    (said,) = (
        line.removeprefix("#").split()
        for line in (STUDIES / "measured.toml").read_text().splitlines()
        if "trajstore import" in line
    )
    done = CliRunner().invoke(
        main,
        [
            str(tmp_path / "mine") if part == "mine" else f"{folder}.csv" if part == "TABLE.csv" else part
            for part in [*said[1:], "--resample", str(measured.STEP), "--name", "signal"]
        ],
    )
    assert done.exit_code == 0, done.output
    one, other = load_manifest(folder), load_manifest(tmp_path / "mine")
    assert one.id == other.id
