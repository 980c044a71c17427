"""Free runs beside true ones: how often each is where, also of one that is never where the truth is."""

from types import SimpleNamespace

import numpy as np
import pytest
from trajstore.pipeline.draw.run_figures.attractor import BINS, draw_attractor
from trajstore.pipeline.dynamics.systems import get_system

SYSTEM = get_system("mass-spring")
POINTS = 5000


def densities(predicted):
    """What the histogram of the first component has of the truth, a circle, and of what is predicted."""
    phase = 0.01 * np.arange(POINTS)
    true = np.stack([np.cos(phase), -np.sin(phase)], axis=1)
    results = {
        "config": SimpleNamespace(
            config={"system": SYSTEM.to_dict()},
            components=SYSTEM.states,
            system=SYSTEM,
            predictions=None,
            target_names=SYSTEM.states,
        ),
        "metrics": {
            "dataset": {"noise": None},
            "model": {"name": "lstm"},
            "rollout": {"statistics": {"points": POINTS}},
        },
        "free_true": true,
        "free_predicted": true if predicted is None else np.full_like(true, predicted),
    }
    figure = draw_attractor(results)
    (panel,) = [axes for axes in figure.axes if axes.get_ylabel() == "density"]
    return [patch.get_data() for patch in panel.patches]


def test_a_density_is_one_over_all_points():
    for values, edges, _ in densities(None):
        assert len(values) == BINS
        assert (values * np.diff(edges)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("predicted", [np.nan, np.inf, 50.0])
def test_what_is_never_where_the_truth_is_has_none_there(predicted):
    true, lost = densities(predicted)
    assert (true.values * np.diff(true.edges)).sum() == pytest.approx(1.0)
    assert (lost.values == 0).all()
