"""Figures that a study's file names: ours shows what the runs have left, and one of a user's own is told the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.study.figures import judged_runs
from trajstore.pipeline.study.file import load_study
from trajstore.pipeline.study.plan import make_plan
from trajstore.pipeline.study.side_by_side import draw_side_by_side

pytestmark = pytest.mark.slow

STUDY = """
seeds = [0, 1]
figures = ["side-by-side", "own.py:told"]

[defaults]
grid = { duration = 2.0, step = 0.1 }
dataset = { train = 20, validation = 4, test = 6 }
model = { hidden = 4 }
training = { steps = 6, batch = 8, evaluate_every = 3 }
evaluation = { rollouts = 2, rollout_lengths = 2, baselines = [] }

[[dataset]]
label = "plane"
config = { system = { name = "van-der-pol" } }
[[dataset]]
label = "line"
[dataset.config.system]
name = "decay"
equations = { x = "-x" }
initial_state = { x = [-1.0, 1.0] }

[[model]]
label = "small"
[[model]]
label = "standardised"
task = { normalize = true }
[[model]]
label = "longer"
only = ["plane"]
training = { steps = 9 }

[quick]
seeds = [0]
training = { steps = 2 }
"""
OWN = """
from matplotlib.figure import Figure

def told(runs):
    figure = Figure()
    axes = figure.add_subplot()
    axes.set_title(" ".join(f"{run.dataset}/{run.model}/{run.seed}" for run in runs))
    axes.plot([run.results["metrics"]["test"]["mse"] for run in runs])
    return figure
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder with a study's file and what was made of it."""
    folder = tmp_path_factory.mktemp("figures")
    (folder / "study.toml").write_text(STUDY)
    (folder / "own.py").write_text(OWN)
    code, said = study(folder / "study.toml", folder / "out")
    assert code == 0, said
    return folder


def study(path: Path, out: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["study", str(path), "--out", str(out), "--jobs", "1", *options])
    return result.exit_code, result.output


def drawn(axes) -> set[tuple[float, ...]]:
    return {tuple(np.round(line.get_xydata().ravel(), 9)) for line in axes.lines}


def test_each_model_has_a_panel_of_the_same_trajectories_and_each_dataset_one_of_errors(done):
    for name in ("side-by-side", "told"):
        assert (done / f"out/{name}.png").stat().st_size > 5_000
    path = done / "study.toml"
    runs = list(judged_runs(make_plan(load_study(path), path, done / "out", quick=False).runs))
    axes = draw_side_by_side(runs).axes
    assert len(axes) == (3 + 1) + (2 + 1)
    panels = {"plane": axes[:3], "line": axes[4:6]}
    for dataset, shown in panels.items():
        first = [run for run in runs if run.dataset == dataset and run.seed == 0]
        for panel, run in zip(shown, first, strict=True):
            assert run.model in panel.get_title("left")
            time = run.results["time"][:, None]
            for true, predicted in zip(first[0].results["true"], run.results["predicted"], strict=True):
                for states in (true, predicted):
                    points = states if dataset == "plane" else np.hstack([time, states])
                    assert tuple(np.round(points.ravel(), 9)) in drawn(panel)
    assert [bool(panel.collections) for panel in axes] == [True] * 3 + [False] * 4, (
        "the flow lies behind planes"
    )


def test_errors_by_time_are_medians_over_seeds_of_what_metrics_json_has(done):
    path = done / "study.toml"
    jobs = make_plan(load_study(path), path, done / "out", quick=False).runs
    lines = {line.get_label(): line for line in draw_side_by_side(list(judged_runs(jobs))).axes[3].lines}
    assert list(lines) == ["small", "standardised", "longer"]
    for model, line in lines.items():
        folders = (done / "out/runs").glob(f"plane-{model}-seed*")
        squares = [json.loads((run / "metrics.json").read_text())["test"]["mse_by_time"] for run in folders]
        assert len(squares) == 2
        np.testing.assert_allclose(line.get_ydata() ** 2, np.mean(squares, axis=0))


def test_a_part_of_a_study_is_drawn_and_quick_is_too(done, tmp_path):
    for name in ("study.toml", "own.py"):
        (tmp_path / name).write_text((done / name).read_text())
    code, said = study(tmp_path / "study.toml", tmp_path / "out", "--quick", "--only", "line/small")
    assert code == 0, said
    assert (tmp_path / "out/side-by-side.png").is_file()
    assert (tmp_path / "out/told.png").is_file()


def test_figures_of_a_part_say_of_how_many_runs_they_are(done, tmp_path, monkeypatch):
    path, kept = done / "study.toml", []

    def titled(runs):
        kept.append(Figure())
        kept[-1].suptitle(f"of {len(runs)}")
        kept[-1].add_subplot()
        return kept[-1]

    monkeypatch.setattr("trajstore.pipeline.study.study.find_figures", lambda *_: {"titled": titled})
    for only in ("line/small", "line/standardised", "*"):
        call = ["study", str(path), "--out", str(tmp_path), "--jobs", "1", "--quick", "--only", only]
        assert CliRunner().invoke(main, call).exit_code == 0
    assert [figure.get_suptitle() for figure in kept] == [
        "of 1\nUnfinished: 1 of 5 runs have ended",
        "of 2\nUnfinished: 2 of 5 runs have ended",
        "of 5",
    ]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ('["side-by-sid"]', "Did you mean side-by-side?"),
        ('["own.py:absent"]', "own.py has no 'absent'"),
        ('["nowhere.py:told"]', "nowhere.py cannot be read"),
        ('["own.py:told", "package.module:told"]', "told.png"),
        ('["own.py:figure"]', "figure.png"),
    ],
)
def test_a_figure_that_there_is_not_ends_with_2_before_anything_is_made(names, said, done, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "study.toml").write_text(STUDY.replace('["side-by-side", "own.py:told"]', names))
    code, output = study(tmp_path / "study.toml", tmp_path / "out")
    assert code == 2
    assert said in " ".join(output.split())
    assert not (tmp_path / "out").exists()
