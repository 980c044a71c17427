"""The [grid] section: times in units of time or in periods of the system."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import TrajstoreError
from trajstore.pipeline import get_system
from trajstore.pipeline.config.grid import GridSection


@given(periods=st.floats(0.5, 50), a_period=st.floats(1.5, 200), period=st.floats(1e-3, 1e3))
def test_periods_and_points_per_period_scale_with_the_system(periods, a_period, period):
    grid = GridSection.model_validate({"duration": {"periods": periods}, "points_per_period": a_period})
    times = grid.times(period)
    np.testing.assert_allclose(times / period, grid.times(1.0), rtol=1e-14)
    assert times[0] == 0
    assert times[-1] == periods * period
    # The nearest whole number of steps.
    assert abs((len(times) - 1) - periods * a_period) <= 0.5 * (1 + 1e-9)


def test_ten_periods_of_the_oscillator_end_where_they_began(experiment):
    config = experiment(
        system={"name": "harmonic", "parameters": {}},
        grid={"duration": {"periods": 10}, "points_per_period": 8, "step": None},
    )
    np.testing.assert_allclose(config.times, np.arange(81) * 2 * np.pi / 8, rtol=1e-14)
    assert config.generation()["grid"] == {
        "duration": config.times[-1],
        "points": 81,
        "resample": "dense",
    }


def test_an_integer_of_periods_and_a_step_in_units_of_time_go_together():
    grid = GridSection.model_validate({"duration": {"periods": 2}, "step": 0.5})
    np.testing.assert_array_equal(grid.times(3.0), np.linspace(0, 6, 13))
    with pytest.raises(TrajstoreError, match=r"step 0\.5 does not divide duration 2\.2"):
        grid.times(1.1)


@pytest.mark.parametrize(
    "grid",
    [
        {"duration": {"periods": 2}, "points": 5, "step": None},
        {"duration": 2.0, "points_per_period": 9, "step": None},
    ],
)
def test_a_system_without_a_period_is_refused_with_the_mend(experiment, grid):
    own = {"name": "own", "equations": {"x": "-x"}, "parameters": {}, "initial_state": {"x": [0.0, 1.0]}}
    with pytest.raises(TrajstoreError, match=r"\[system\] period"):
        experiment(system=own, grid=grid)
    assert len(experiment(system={**own, "period": 1.0}, grid=grid).times) in (5, 19)


def test_parameters_of_ones_own_leave_the_librarys_period_behind(experiment):
    assert get_system("van-der-pol").period
    with pytest.raises(TrajstoreError, match="parameters of its own"):
        experiment(
            system={"name": "van-der-pol", "parameters": {"mu": 5.0}},
            grid={"duration": {"periods": 2}, "points": 9, "step": None},
        )
