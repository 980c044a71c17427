"""A rollout of many components as images: how much of it, in which units, and what is no number."""

from types import SimpleNamespace

import numpy as np
import pytest
from trajstore.pipeline.draw.run_figures.rollout import draw_rollout
from trajstore.pipeline.draw.run_figures.space_time import BEYOND, FEWEST, SHOWN
from trajstore.pipeline.dynamics.systems import get_system

SYSTEM = get_system("lorenz-96")
STEP, LOST = 0.1, 40


def results(predicted_after, rollout=None, points=401):
    """A wave that turns, and a prediction that is off by a tenth of a deviation, then by what is said."""
    time, sites = STEP * np.arange(points), np.arange(40)
    true = 3.0 * np.sin(2 * np.pi * (sites - time[:, None]) / 40)
    predicted = true + 0.1
    predicted[LOST:] = predicted_after
    described = SYSTEM.to_dict()
    return {
        "config": SimpleNamespace(config={"system": described}, components=SYSTEM.states, system=SYSTEM),
        "metrics": {"dataset": {"noise": None}, "rollout": rollout or {}},
        "rollout_time": time,
        "rollout_true": true[None],
        "rollout_predicted": predicted[None],
        "rollout_scales": np.ones(40),
        "rollout_row": np.array([3]),
    }


def images(figure):
    return [axes.collections[0].get_array() for axes in figure.axes[:3]]


def test_truth_prediction_and_difference_are_shown_for_three_times_as_long_as_they_agree():
    found = results(2.0)
    figure = draw_rollout(found)
    count = round(SHOWN * LOST) + 1
    true, predicted, difference = images(figure)
    np.testing.assert_array_equal(true, found["rollout_true"][0, :count].T)
    np.testing.assert_array_equal(predicted, found["rollout_predicted"][0, :count].T)
    bound = 3.0 * (1 + BEYOND)
    np.testing.assert_allclose(difference, np.clip(predicted - true, -bound, bound))
    assert [axes.get_title("left") for axes in figure.axes[:3]] == ["true", "predicted", "difference"]
    for axes in figure.axes[:3]:
        assert axes.lines[0].get_xdata()[0] == pytest.approx(LOST * STEP)
    assert "test row 3" in figure.get_suptitle()
    assert figure.axes[2].get_xlabel() == "time $t$"


def test_times_are_lyapunov_times_where_the_exponent_is_known():
    figure = draw_rollout(results(2.0, {"vpt": 4.0, "vpt_lyapunov": 6.76}))
    assert figure.axes[2].get_xlabel() == "Lyapunov times"
    assert figure.axes[0].lines[0].get_xdata()[0] == pytest.approx(1.69 * LOST * STEP)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_prediction_that_is_lost_spoils_no_colours(value):
    figure = draw_rollout(results(value))
    _, predicted, _ = images(figure)
    lost = np.ma.filled(predicted, np.nan)[:, LOST:]
    assert np.isnan(lost).all() if not np.isfinite(value) else (lost <= 3.0 * (1 + BEYOND) + 1e-12).all()
    mesh = figure.axes[1].collections[0]
    assert mesh.get_clim() == pytest.approx((mesh.get_clim()[0], -mesh.get_clim()[0]))
    assert mesh.get_clim()[1] <= 3.0 * (1 + BEYOND) + 1e-12
    assert figure.axes[0].lines


def test_one_that_never_fails_is_shown_whole_and_has_no_mark_and_one_that_fails_at_once_is_shown_for_a_while():
    found = results(2.0, points=LOST)
    assert images(draw_rollout(found))[0].shape == (40, LOST)
    assert not draw_rollout(found).axes[0].lines
    at_once = results(2.0)
    at_once["rollout_predicted"][0, 1:] = 5.0
    assert images(draw_rollout(at_once))[0].shape == (40, FEWEST + 1)
