"""The figure of a rollout: as long as there is something to see, and no empty panel where all is at rest."""

import numpy as np
import pytest
from trajstore.pipeline import evaluate, train
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_figures.rollout import (
    AFTER_REST,
    MIN_SHOWN,
    REST,
    SHOWN_PERIODS,
    draw_rollout,
    shown_samples,
)

TIME = np.linspace(0.0, 1000.0, 10_001)


def test_of_a_motion_without_a_stated_period_as_many_swings_are_shown():
    for period in (2.0, 5.0):
        path = np.sin(2 * np.pi * TIME / period)
        shown = TIME[shown_samples(TIME, (path, path), None) - 1]
        assert shown == pytest.approx(SHOWN_PERIODS * period, rel=0.05)
        assert shown_samples(TIME, (path, path), period) == np.searchsorted(TIME, SHOWN_PERIODS * period)


def test_what_comes_to_rest_is_shown_until_a_little_after():
    decay = np.exp(-TIME / 30.0)
    rests = -30.0 * np.log(REST)
    assert TIME[shown_samples(TIME, (decay, decay), None)] == pytest.approx(AFTER_REST * rests, rel=0.01)
    assert shown_samples(TIME, (decay, decay), 1.0) == np.searchsorted(TIME, SHOWN_PERIODS)
    # A prediction that still moves is not cut off, nor one that is lost.
    slow, lost = np.exp(-TIME / 60.0), np.where(TIME < 500, 1.0, np.nan)
    assert TIME[shown_samples(TIME, (decay, slow), None)] == pytest.approx(2 * AFTER_REST * rests, rel=0.01)
    assert shown_samples(TIME, (decay, lost), None) == len(TIME)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_of_a_constant_the_least_is_shown(value):
    path = np.full(len(TIME), value)
    assert shown_samples(TIME, (path, path), None) == MIN_SHOWN
    assert shown_samples(TIME[:20], (path[:20], path[:20]), None) == 20
    rounded = path + 1e-7 * np.random.default_rng(0).normal(size=len(TIME))
    moving = path + np.exp(-TIME / 10.0)
    assert TIME[shown_samples(TIME, (rounded, moving), None)] < 100


@pytest.fixture(scope="module")
def results(experiment, small_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rollout") / "run"
    config = experiment(
        model={"hidden": 4},
        training={"batch": 16, "steps": 4},
        evaluation={"rollouts": 2, "rollout_lengths": 20},
    )
    train(config, small_dataset, folder)
    evaluate(folder)
    return load_results(folder)


@pytest.mark.slow
def test_where_all_is_at_rest_the_plane_shows_the_way_and_the_ends(results):
    time = results["rollout_time"]
    turning = np.stack([np.cos(time), np.sin(time)], axis=1)
    for path in (np.exp(-time)[:, None] * turning, np.full((len(time), 2), 3.0)):
        figure = draw_rollout({**results, "rollout_true": path[None], "rollout_predicted": path[None] + 0.01})
        right = figure.axes[1]
        assert right.get_title("left").endswith(", ends marked")
        np.testing.assert_array_equal(right.lines[0].get_xydata(), path)
        ends = [line.get_xydata()[0] for line in right.lines if line.get_marker() in ("o", "x")]
        np.testing.assert_allclose(ends, [path[-1], path[-1] + 0.01])
        figure.draw_without_rendering()
        low, high = right.get_xlim()
        assert low < path[-1, 0] < high


def test_the_title_says_how_long_it_is_and_not_how_long_it_was_asked_to_be(results):
    """Windows are shorter than rows, and measured data end before."""
    names = ("rollout_true", "rollout_predicted")
    for points in (31, len(results["rollout_time"])):
        cut = {name: results[name][:, :points] for name in names}
        figure = draw_rollout({**results, **cut, "rollout_time": results["rollout_time"][:points]})
        assert f"over $t$ = {results['rollout_time'][points - 1]:g}, chained" in figure.get_suptitle()


def test_an_axis_of_a_constant_does_not_show_rounding(results):
    path = np.full((1, len(results["rollout_time"]), 2), 3.0)
    figure = draw_rollout({**results, "rollout_true": path, "rollout_predicted": path + 1e-7})
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert (low, high) == pytest.approx((2.85, 3.15), abs=1e-3)


def test_where_it_moves_the_end_is_shown_as_before(results):
    right = draw_rollout(results).axes[1]
    assert "ends marked" not in right.get_title("left")
    end = right.lines[0].get_xydata()
    np.testing.assert_array_equal(end, results["rollout_true"][0][-len(end) :, :2])
    assert len(end) == round(0.15 * len(results["rollout_time"]))
