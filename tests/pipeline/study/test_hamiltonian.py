"""studies/hamiltonian.toml: what the paper's protocol asks for is in it, and its quick version runs to the end."""

import json
from pathlib import Path

import numpy as np
import pytest
from trajstore.pipeline import run_study
from trajstore.pipeline.study.energies import draw_energies
from trajstore.pipeline.study.figures import judged_runs
from trajstore.pipeline.study.file import load_study
from trajstore.pipeline.study.plan import make_plan

STUDY = Path(__file__).parents[3] / "studies/hamiltonian.toml"
# Datasets of the four systems as the paper has them.
PAPER = {"mass-spring-noisy", "pendulum-noisy", "two-body", "three-body"}


def test_one_pattern_is_one_seed_of_the_paper_s_eight_rows(tmp_path):
    plan = make_plan(load_study(STUDY), STUDY, tmp_path, quick=False).only("*/paper-*/seed0")
    jobs = [job for job in plan.runs if job.dataset.label in PAPER]
    assert {(job.dataset.label, job.config.model.name) for job in jobs} == {
        (dataset, model) for dataset in PAPER for model in ("mlp", "hnn")
    }
    assert len(jobs) == 8
    for job in jobs:
        settings, training = job.config.model.settings, job.config.training
        assert (settings["hidden"], settings["activation"], settings["orthogonal"]) == (
            [200, 200],
            "tanh",
            True,
        )
        assert (training.optimizer, training.learning_rate, training.schedule) == ("adam", 1e-3, "constant")
        bodies = "body" in job.dataset.label
        assert training.steps == (10_000 if bodies else 2000)
        assert training.weight_decay == (None if job.dataset.label == "two-body" else 1e-4)
        amount = job.dataset.config.observation.noise
        assert (amount is None) == bodies


def test_the_study_of_draws_is_of_the_same_rows_and_networks(tmp_path):
    def jobs(study):
        plan = make_plan(load_study(study), study, tmp_path, quick=False).only("*-noisy/paper-hnn/seed0")
        return {(job.dataset.label, job.dataset.config.dataset.seed): job for job in plan.runs}

    drawn, once = jobs(STUDY.with_name("hamiltonian-draws.toml")), jobs(STUDY)
    assert len(once) == 2
    assert drawn.keys() == {(label, seed) for label, _ in once for seed in range(10)}
    for place, job in once.items():
        same = drawn[place]
        for section in ("system", "initial_states", "grid", "dataset", "observation"):
            assert getattr(same.dataset.config, section) == getattr(job.dataset.config, section)
        for section in ("task", "model", "training", "evaluation"):
            assert getattr(same.config, section) == getattr(job.config, section), section


@pytest.mark.slow
def test_the_quick_study_runs_to_its_end(tmp_path):
    study = run_study(STUDY, tmp_path, jobs=1, quick=True)
    results = json.loads((tmp_path / "results.json").read_text())
    assert study.failed == 0, [row["error"] for row in results["rows"] if row["error"]]
    assert results["quick"] is True
    expected = make_plan(load_study(STUDY), STUDY, tmp_path, quick=True).runs
    models = {(row["dataset"], row["model"]): row for row in results["rows"] if row["kind"] == "model"}
    assert set(models) == {(job.dataset.label, job.model) for job in expected if job.seed is not None}
    for (dataset, model), row in models.items():
        numbers = row["metrics"]
        assert np.isfinite(list(numbers.values())).all()
        # A neural ODE is told no slopes.
        assert numbers.keys() >= {"test_mse", "train_mse", "energy_mse", "energy_worst"}
        assert ("test_field_mse" in numbers) == (model != "neural-ode")
        assert ("test_noise_floor" in numbers) == (dataset in ("mass-spring-noisy", "pendulum-noisy"))
        assert ("test_hamiltonian_error" in numbers) == (model.startswith(("hnn", "paper-hnn", "random")))
        assert ("paper_energy_mse" in numbers) == (model.startswith("paper-") and "body" not in dataset)
        # The truth keeps its energy.
        assert row["floors"]["energy_mse"] < 1e-18
    assert "test_left_out_share" in models["three-body", "hnn-pairwise-kept"]["metrics"]
    table = (tmp_path / "table.md").read_text()
    for text in ("Quick:", "arXiv:1906.01563", "arXiv:2411.17511", "## three-body", "integrated to"):
        assert text in table
    assert (tmp_path / "energies.png").stat().st_size > 10_000
    figure = draw_energies(list(judged_runs(expected)))
    assert figure is not None
    names = ("two-body", "paper-mlp-two", "paper-hnn-two", "hnn-pairwise\n")
    panels = [axes for axes in figure.axes if axes.get_title(loc="left").startswith(names)]
    starts = [
        {tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() == "o"} for axes in panels
    ]
    assert len(starts) == len(names)
    assert all(each == starts[0] for each in starts), "all panels are of one plane"
