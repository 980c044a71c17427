"""A run's curve in TensorBoard, read back by TensorBoard itself."""

import sys

import pytest
from click.testing import CliRunner
from trajstore.pipeline import read_curve, train
from trajstore.pipeline.cli.main import main

FAST = {"model": {"hidden": 4}, "training": {"batch": 8, "steps": 40, "evaluate_every": 20}}


@pytest.fixture(scope="module")
def run(experiment, small_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("track") / "run"
    train(experiment(**FAST), small_dataset, folder)
    return folder


def call(*arguments):
    result = CliRunner().invoke(main, ["track", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_the_same_curve(run):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for _ in range(2):
        assert call(run, "--to", "tensorboard")[0] == 0
    seen = event_accumulator.EventAccumulator(str(run / "tensorboard")).Reload()
    curve = list(read_curve(run))
    assert {"loss", "smoothed_loss", "validation_mse", "seconds"} <= set(seen.Tags()["scalars"])
    for name in ("loss", "validation_mse"):
        found = [(event.step, event.value) for event in seen.Scalars(name)]
        assert found == [
            (line["step"], pytest.approx(line[name], rel=1e-6)) for line in curve if name in line
        ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_curves_of_others_are_left_alone(run, small_dataset, tmp_path):
    pytest.importorskip("tensorboard")
    theirs = tmp_path / "logs/events.out.tfevents.1.host"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    for _ in range(2):
        assert call(run, "--to", "tensorboard", "--out", theirs.parent)[0] == 0
    assert theirs.read_text() == "theirs"
    assert len(list(theirs.parent.iterdir())) == 2, "theirs, and ours once"
    for out in (small_dataset, small_dataset / "logs"):
        code, said = call(run, "--to", "tensorboard", "--out", out)
        assert (code, "in a dataset" in said or "holds a dataset" in said) == (2, True)
    assert not list(small_dataset.glob("**/events*"))


def test_what_cannot_be_tracked_ends_with_2(run, tmp_path, monkeypatch):
    assert call(run, "--to", "nowhere") == (2, "trajstore: --to nowhere: expected one of tensorboard\n")
    assert call(tmp_path, "--to", "tensorboard")[0] == 2
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    code, said = call(run, "--to", "tensorboard", "--out", tmp_path / "out")
    assert code == 2
    assert "pip install 'tensorboard>=" in said
