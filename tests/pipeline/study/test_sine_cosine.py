"""studies/sine-cosine.toml: what its datasets are, what it prints, and the bounds of its answer, with fewer steps."""

import json
from pathlib import Path

import numpy as np
import pytest
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import evaluate, generate, run_study, train
from trajstore.pipeline.study.file import load_study
from trajstore.pipeline.study.plan import make_plan

pytestmark = pytest.mark.slow
STUDY = Path(__file__).parents[3] / "studies/sine-cosine.toml"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Configs by the study's own labels, of its first seed, with fewer rows and steps; and the dataset."""
    folder = tmp_path_factory.mktemp("sine")
    plan = make_plan(load_study(STUDY), STUDY, folder, quick=False)
    dataset = plan.datasets[0].config
    smaller = dataset.dataset.model_copy(update={"train": 4, "test": 8})
    generate(dataset.model_copy(update={"dataset": smaller}), folder / "dataset", jobs=1)
    jobs = [job for job in plan.runs if job.dataset.label == "sine-cosine" and job.seed == 0]
    return {job.model: job.config for job in jobs}, folder / "dataset"


@pytest.fixture
def judged(runs, tmp_path):
    def judge(label, steps):
        configs, dataset = runs
        config = configs[label]
        shorter = config.training.model_copy(update={"steps": steps})
        train(config.model_copy(update={"training": shorter}), dataset, tmp_path / label)
        return evaluate(tmp_path / label)["test"]

    return judge


def test_inputs_are_sines_and_targets_cosines_of_1000_steps(runs):
    dataset = TrajectoryDataset(runs[1], "test", dtype="float64")
    states = dataset.states(slice(None)).numpy()
    assert states.shape == (8, 1001, 2)
    phase = np.arctan2(states[:, :1, 0], states[:, :1, 1]) + dataset.time
    np.testing.assert_allclose(states, np.stack([np.sin(phase), np.cos(phase)], axis=2), atol=1e-9)


@pytest.mark.parametrize("label", ["lstm-windows-of-1", "mlp-sees-1"])
def test_one_sample_tells_nothing_of_the_sign_of_the_cosine(judged, label):
    test = judged(label, 200)
    assert 0.48 < test["first_mse"] < 0.52
    assert test["stateful_mse"] > 0.45
    assert test["mse"] > 0.45


def test_a_second_sample_tells_it_and_training_on_two_is_not_enough_to_go_on(judged):
    test = judged("lstm-windows-of-2", 800)
    assert 0.48 < test["first_mse"] < 0.52
    assert test["later_mse"] <= 1e-3
    assert test["stateful_later_mse"] > 0.5


@pytest.mark.parametrize("label", ["lstm-windows-of-10", "mlp-sees-2"])
def test_long_windows_or_a_short_memory_keep_right_for_1000_steps(judged, label):
    test = judged(label, 800)
    assert 0.48 < test["first_mse"] < 0.52
    assert max(test["mse_by_time"][1:]) <= 1e-3
    assert test["stateful_later_mse"] <= 1e-3


def test_the_study_makes_both_datasets_and_prints_the_floor(tmp_path):
    study = run_study(STUDY, tmp_path, jobs=1, quick=True, only="*/mlp*")
    assert study.failed == 0
    table = (tmp_path / "table.md").read_text()
    (floor,) = [line for line in table.splitlines() if "exact floor of a first step" in line]
    assert [cell.strip() for cell in floor.split("|")][3:6] == ["-", "0.5", "-"]
    results = json.loads((tmp_path / "results.json").read_text())
    assert {row["dataset"] for row in results["rows"]} == {"sine-cosine", "pulses"}
    (folder,) = (tmp_path / "datasets").glob("pulses")
    states = TrajectoryDataset(folder, "train").states(slice(None)).numpy()
    held = np.zeros(len(states))
    for now in states.transpose(1, 2, 0):
        held = np.where(now[0] != 0, now[0], held)
        assert (now[1] == held).all(), "the last pulse"
