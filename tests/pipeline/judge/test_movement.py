"""Which rows are drawn: those that move, where others rest, in datasets and in runs; and as what they are."""

import numpy as np
import pytest
from trajstore.pipeline import evaluate, generate, train
from trajstore.pipeline.draw.dataset import draw_phase, draw_series
from trajstore.pipeline.draw.dataset_sample import TRAJECTORIES, sample_dataset
from trajstore.pipeline.draw.run_figures.error import draw_error
from trajstore.pipeline.draw.run_figures.flow import draw_flow
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_figures.predictors import draw_predictors
from trajstore.pipeline.draw.run_figures.rollout import draw_rollout
from trajstore.pipeline.judge.movement import choose, first_moving, moving

pytestmark = pytest.mark.slow

RESTING = 4


def test_what_moves_is_told_from_what_rests_whatever_the_scale():
    time = np.linspace(0.0, 9.0, 50)
    wave = np.stack([np.sin(time), np.cos(time)], axis=1)
    for scale in (1e-9, 1.0, 1e9):
        paths = scale * np.stack([np.full((50, 2), 3.0), wave, 0.01 * wave, 1e-6 * wave + 1.0])
        assert moving(paths).tolist() == [False, True, True, False]
        assert first_moving(paths) == 1
    # Rounding of a constant is no movement.
    assert not moving(3.0 + 1e-7 * np.random.default_rng(0).normal(size=(5, 50, 2))).any()
    assert first_moving(np.zeros((3, 50, 2))) == 0
    assert choose(np.array([False, True, False, True]), 3).tolist() == [1, 3, 0]
    assert choose(np.ones(9, dtype=bool), 3).tolist() == [0, 4, 8]


@pytest.fixture(scope="module")
def folder(experiment, tmp_path_factory):
    """A bistable oscillator, coarsely sampled: the first rows of each split lie on fixed points."""
    folder = tmp_path_factory.mktemp("rest")
    starts = np.random.default_rng(0).uniform(-1.5, 1.5, (100, 2))
    for first in (0, 60, 80):
        starts[first : first + RESTING] = [1.0, 0.0]
    np.save(folder / "starts.npy", starts)
    config = experiment(
        system={
            "name": "bistable",
            "equations": {"x": "y", "y": "x - x**3 - 0.1*y"},
            "initial_state": {"x": [-1.5, 1.5], "y": [-1.5, 1.5]},
        },
        initial_states={"kind": "file", "path": str(folder / "starts.npy")},
        grid={"duration": 8.0, "points": 17},
        dataset={"train": 60, "validation": 20, "test": 20},
        model={"hidden": 4},
        training={"batch": 16, "steps": 4},
        evaluation={"rollouts": 10, "rollout_lengths": 3},
    )
    generate(config, folder / "data", jobs=1)
    for task in ("initial-value", "forecast"):
        told = config.model_copy(update={"task": config.task.model_copy(update={"name": task})})
        train(told, folder / "data", folder / task)
        evaluate(folder / task)
    return folder


def test_of_a_dataset_rows_that_move_are_shown(folder):
    sample = sample_dataset(folder / "data")
    for split in sample.splits:
        assert len(split.numbers) == len(set(split.numbers)) == TRAJECTORIES
        assert split.numbers.min() >= RESTING
        assert (np.ptp(split.states, axis=1) > 0.01).any(axis=1).all()
    names = [line.get_label() for line in draw_series(sample).axes[0].lines]
    assert names[:3] == [f"{split.name} {split.numbers[0]}" for split in sample.splits]
    assert draw_phase(sample).axes[0].get_aspect() == 1.0


@pytest.mark.parametrize("task", ["initial-value", "forecast"])
def test_of_a_run_rows_that_move_are_shown_and_named(folder, task):
    results = load_results(folder / task)
    assert (results["row"] >= RESTING).all()
    assert moving(results["true"]).all()
    figure = draw_rollout(results)
    assert f"test row {RESTING}" in figure.get_suptitle()
    shown = figure.axes[0].lines[0].get_xydata()
    np.testing.assert_array_equal(shown[:, 1], results["rollout_true"][RESTING][: len(shown), 0])


def test_forecasts_of_one_step_are_points_with_their_name_and_predictions_are_lines(folder):
    for task, joined in (("forecast", False), ("initial-value", True)):
        results = load_results(folder / task)
        axes = draw_flow(results).axes[0]
        lines = [line for line in axes.lines if np.array_equal(line.get_xydata(), results["predicted"][0])]
        assert [line.get_linestyle() != "None" for line in lines] == [joined]
        assert (lines[0].get_label() == "predicted") == joined
        titles = axes.get_title("left"), draw_error(results).axes[0].get_ylabel()
        titles += (draw_predictors(results).axes[0].get_xlabel(),)
        assert [("one-step forecast" in title) for title in titles] == [not joined] * 3


def test_the_truth_is_smooth_and_passes_through_its_samples(folder):
    results = load_results(folder / "initial-value")
    axes = draw_flow(results).axes[0]
    (true,) = [line for line in axes.lines if line.get_label() == "true"]
    steps = np.diff(true.get_xydata(), axis=0)
    turns = np.abs(np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))))
    assert len(steps) > 900
    assert turns.max() < 0.2, "no corner is seen"
    every = len(steps) // 16
    np.testing.assert_allclose(true.get_xydata()[::every], results["true"][0], atol=1e-5)
    # What was evaluated by an older version, and measured data, have samples alone; these are marked.
    for key in ("smooth_true", "smooth_time"):
        del results[key]
    (true,) = [line for line in draw_flow(results).axes[0].lines if line.get_label() == "true"]
    np.testing.assert_array_equal(true.get_xydata(), results["true"][0])
    assert true.get_marker() == "."


def test_planes_have_one_scale_unless_that_would_squash_them(folder):
    results = load_results(folder / "initial-value")
    assert draw_flow(results).axes[0].get_aspect() == 1.0
    for key in ("true", "predicted", "smooth_true"):
        results[key] = results[key] * [1.0, 20.0]
    assert draw_flow(results).axes[0].get_aspect() == "auto"
