"""Amplitude and period: exact for known waves, the published values for van der Pol, nothing for what decays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from trajstore.pipeline import EngineSettings, System, get_system, make_engine
from trajstore.pipeline.judge.metrics.cycle import limit_cycle, measure_cycle

pytestmark = pytest.mark.slow


@given(
    amplitude=st.floats(0.1, 10.0),
    period=st.floats(3.0, 9.0),
    phase=st.floats(0.0, 6.28),
    offset=st.floats(-5.0, 5.0),
)
def test_a_sine_has_its_own_amplitude_and_period(amplitude, period, phase, offset):
    times = np.linspace(0.0, 50.0, 501)
    cycle = measure_cycle(times, offset + amplitude * np.sin(2 * np.pi * times / period + phase))
    assert cycle.amplitude == pytest.approx(amplitude, rel=1e-4)
    assert cycle.period == pytest.approx(period, rel=1e-4)


def test_the_error_falls_with_the_fourth_power_of_the_sampling_interval():
    errors = []
    for samples in (301, 601):
        times = np.linspace(0.0, 60.0, samples)
        errors.append(abs(measure_cycle(times, np.sin(times + 0.3)).amplitude - 1.0))
    assert errors[0] / errors[1] > 10


@pytest.mark.parametrize("values", [np.zeros(100), np.linspace(0, 1, 100), np.full(100, np.nan)])
def test_what_does_not_oscillate_has_no_cycle(values):
    assert measure_cycle(np.linspace(0.0, 10.0, 100), values) is None


def reference_cycle(mu):
    """Amplitude and period by SciPy's events: an own section x2 = 0, no spline, another integrator."""

    def field(t, x):
        return [x[1], mu * (1 - x[0] ** 2) * x[1] - x[0]]

    def section(t, x):
        return x[1]

    section.direction = -1
    solution = solve_ivp(field, (0, 400), [2.0, 0.0], "DOP853", rtol=1e-13, atol=1e-13, events=section)
    maxima = solution.y_events[0][-1][0]
    return maxima, np.diff(solution.t_events[0][-4:]).mean()


@pytest.mark.parametrize("mu", [0.1, 1.0])
def test_van_der_pols_cycle_is_that_of_an_event_located_section(mu):
    system = get_system("van-der-pol")
    engine = make_engine(system, EngineSettings())
    cycle = limit_cycle(engine, np.array([0.5, -3.0])[None], np.array([mu])[None], 100.0, 0.01)
    amplitude, period = reference_cycle(mu)
    assert cycle.amplitude == pytest.approx(amplitude, abs=1e-6)
    assert cycle.period == pytest.approx(period, abs=1e-6)


def test_the_period_for_small_mu_is_that_of_perturbation_theory():
    """T = 2 pi (1 + mu^2 / 16 - 5 mu^4 / 3072 + ...): Andersen and Geer (1982), doi:10.1137/0142047."""
    engine = make_engine(get_system("van-der-pol"), EngineSettings())
    cycle = limit_cycle(engine, np.array([2.0, 0.0])[None], np.array([0.1])[None], 100.0, 0.01)
    assert cycle.period == pytest.approx(2 * np.pi * (1 + 0.1**2 / 16 - 5 * 0.1**4 / 3072), abs=1e-6)


@pytest.mark.parametrize("unit", [2.0**-40, 2.0**40])
def test_a_cycle_is_the_same_in_any_unit_of_state_and_time(unit):
    times, wave = np.linspace(0.0, 50.0, 501), np.sin(1.3 * np.linspace(0.0, 50.0, 501))
    cycle, other = measure_cycle(times, wave), measure_cycle(unit * times, unit * wave)
    assert other.amplitude / unit == pytest.approx(cycle.amplitude, rel=1e-12)
    assert other.period / unit == pytest.approx(cycle.period, rel=1e-12)


@pytest.mark.parametrize("unit", [2.0**-60, 1.0, 2.0**60])
def test_a_decay_in_any_unit_has_no_limit_cycle_and_a_cycle_beside_what_is_large_has_one(unit):
    equations = {"x": "y", "y": f"0.1*(1 - (x/{unit!r})**2)*y - x", "z": "0", "d": "e", "e": "-d - 0.1*e"}
    system = System("s", equations, {}, dict.fromkeys(equations, (0.0, 1.0)))
    starts = np.array([[unit, 0.0, 1e9 * unit, unit, 0.0]])
    engine = make_engine(system, EngineSettings())
    cycle = limit_cycle(engine, starts, np.empty((1, 0)), 100.0, 0.01)
    assert cycle.amplitude / unit == pytest.approx(2.0001, rel=1e-4)
    assert limit_cycle(engine, starts, np.empty((1, 0)), 100.0, 0.01, component=3) is None


def test_a_damped_oscillator_has_no_limit_cycle():
    system = System("damped", {"x": "v", "v": "-x - 0.1*v"}, {}, {"x": (-1, 1), "v": (-1, 1)})
    engine = make_engine(system, EngineSettings())
    assert limit_cycle(engine, np.array([1.0, 0.0])[None], np.empty(0)[None], 50.0, 0.05) is None


def chained(times, values, window, jumps, decay):
    """The values, thrown off by a jump wherever a window of that length begins; each dies away in time `decay`."""
    number = (times // window).astype(int)
    return values + jumps[number % len(jumps)] * np.exp(-(times - number * window) / decay)


@given(
    size=st.floats(1e-4, 0.4),
    window=st.floats(0.7, 5.0),
    decay=st.sampled_from([0.1, 1.0, 1e9]),
    period=st.floats(3.0, 15.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_kinks_where_windows_are_chained_are_no_extrema(size, window, decay, period, seed):
    """Jumps of up to 0.4 times the amplitude change what is measured by less than their own size."""
    rng, times = np.random.default_rng(seed), np.linspace(0.0, 100.0, 1001)
    wave = np.sin(2 * np.pi * times / period + rng.uniform(0, 6.28))
    cycle = measure_cycle(times, chained(times, wave, window, size * rng.uniform(-1, 1, 200), decay))
    assert cycle.amplitude == pytest.approx(1.0, abs=0.8 * size + 1e-3)
    assert cycle.period == pytest.approx(period, rel=0.1 * size + 1e-3)


@given(
    noise=st.floats(0.0, 0.1),
    drift=st.floats(-2.0, 2.0),
    period=st.floats(3.0, 15.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_noise_and_drift_are_no_swings(noise, drift, period, seed):
    rng, times = np.random.default_rng(seed), np.linspace(0.0, 100.0, 1001)
    wave = np.sin(2 * np.pi * times / period) + drift * times / 100 + noise * rng.normal(size=1001)
    cycle = measure_cycle(times, wave)
    # The highest of some samples lies up to three standard deviations above their mean.
    assert -noise - 0.01 < cycle.amplitude - 1.0 < 3 * noise + 0.01
    assert cycle.period == pytest.approx(period, rel=0.1 * noise + 1e-3)


def test_ripples_on_a_cycle_change_neither_its_period_nor_its_extremes_much():
    """A relaxation wave, flat and rippled at top and bottom: many extrema, one swing up and one down a period."""
    times = np.linspace(0.0, 200.0, 4001)
    wave = np.tanh(5 * np.sin(2 * np.pi * times / 9.0)) + 0.1 * np.sin(2 * np.pi * times / 0.9)
    cycle = measure_cycle(times, wave)
    assert cycle.amplitude == pytest.approx(1.1, abs=0.01)
    assert cycle.period == pytest.approx(9.0, rel=1e-4)


@pytest.mark.parametrize("kind", ["noise", "steps", "decay", "stops", "begins", "one period"])
def test_what_does_not_swing_evenly_from_beginning_to_end_has_no_cycle(kind):
    times = np.linspace(0.0, 100.0, 1001)
    rng, wave = np.random.default_rng(0), np.sin(times)
    values = {
        "noise": rng.normal(size=1001),
        "steps": np.repeat(rng.uniform(-1, 1, 77), 13),
        "decay": np.exp(-times / 10) * wave,
        "stops": np.where(times < 50, wave, wave[500]),
        "begins": np.where(times < 50, 0.0, wave),
        "one period": np.sin(2 * np.pi * times / 70),
    }[kind]
    assert measure_cycle(times, values) is None
