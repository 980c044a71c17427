"""Is a system solved rightly? Its engine against an independent integration, its energy, its natural period."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rich.console import Console
from scipy.signal import detrend

from ...data.shard.schema import Status
from .engines import EngineSettings, Solution, make_engine
from .engines.base.rounding import ROUNDING, Terms
from .engines.settings import REFERENCE_TOLERANCE, Method
from .initial_states import InitialStates
from .systems import System

# After so many steps the explicit method is at a stiff row, which the implicit one takes over, or gives up in turn.
EXPLICIT_STEPS, IMPLICIT_STEPS = 5_000, 5_000
ROWS, SAMPLES_A_PERIOD = 4, 50
# The horizon: so many Lyapunov times of a chaotic system, so many periods of any other.
LYAPUNOV_TIMES, PERIODS, MOST_PERIODS = 3.0, 5.0, 10.0
ENERGY_PERIODS = 100
# Bars, relative to each component's own largest value and to the largest energy among the rows.
LARGEST_DEVIATION, LARGEST_DRIFT = 1e-7, 1e-11
# Of the spectrum that the period is read from: the first half of as many periods is dropped.
SPECTRUM_PERIODS, SPECTRUM_SAMPLES = 160, 1 << 14


@dataclass(frozen=True)
class Check:
    """How a system did.

    horizon    over which the two integrations were compared, in units of time
    engine     what was checked, and `reference` against what
    sound      rows of `rows` that both integrated to the end
    deviation  the largest, relative to its component's largest value along the row, or to what rounding leaves of the
               terms of its equation; infinite if a row failed in one alone
    drift      of the energy over ENERGY_PERIODS, relative to the largest of all rows; None where there is none
    """

    system: System
    horizon: float
    engine: str
    reference: str
    rows: int
    sound: int
    deviation: float
    drift: float | None

    @property
    def passed(self) -> bool:
        right = self.sound > 0 and self.deviation <= LARGEST_DEVIATION
        return right and (self.drift is None or self.drift <= LARGEST_DRIFT)

    @cached_property
    def measured_period(self) -> float:
        """NaN, where the steps of a field over so many periods are more than one waits for."""
        return natural_period(self.system)

    def to_dict(self) -> dict[str, Any]:
        """What `trajstore systems --check --json` gives."""
        return {
            "name": self.system.name,
            "horizon": self.horizon,
            "rows": self.rows,
            "sound": self.sound,
            "engine": self.engine,
            "reference": self.reference,
            "deviation": self.deviation,
            "energy_drift": self.drift,
            "period": _period(self.system),
            "measured_period": self.measured_period,
            "passed": self.passed,
        }


def check_system(system: System, rows: int = ROWS) -> Check:
    """Integrate rows from the default box twice and compare; watch the energy where there is one."""
    length = horizon(system)
    times = np.linspace(0.0, length, max(2, round(length / _period(system) * SAMPLES_A_PERIOD)))
    engine = make_engine(system, EngineSettings(), rows=rows)
    starts, parameters = _rows(system, rows)
    ours = engine.solve(starts, parameters, times)
    theirs, reference = _reference(system, starts, parameters, times)
    sound = (ours.status == Status.OK) & (theirs.status == Status.OK)
    deviation = 0.0
    # A reference that takes too many steps, as on the way to infinity, says nothing.
    settled = theirs.status != Status.STEP_LIMIT
    if (settled & ((ours.status == Status.OK) != (theirs.status == Status.OK))).any():
        deviation = np.inf
    elif sound.any():
        difference = np.abs(ours.states - theirs.states)[sound].max(axis=1)
        scale = _scales(system, theirs.states[sound], parameters[sound], times)
        deviation = float(np.divide(difference, scale, out=np.zeros_like(scale), where=difference > 0).max())
    return Check(
        system,
        length,
        str(engine.describe()["name"]),
        reference,
        rows,
        int(sound.sum()),
        deviation,
        energy_change(system, starts) if system.energy is not None else None,
    )


def print_checks(console: Console, checks: Iterable[Check]) -> bool:
    """A Markdown table, a line as soon as a system is checked, and the bars; whether all passed."""
    heads = (
        "system",
        "horizon",
        "rows",
        "engine",
        "against",
        "deviation",
        "energy drift",
        "period",
        "measured",
    )
    failed = []

    def line(*cells: str) -> None:
        padded = (
            cell.ljust(width) for cell, width in zip(cells, (22, 8, 4, 11, 16, 9, 12, 8, 8), strict=True)
        )
        console.print(f"| {' | '.join(padded)} |", highlight=False, markup=False, soft_wrap=True)

    line(*heads)
    line(*("-" * len(head) for head in heads))
    for check in checks:
        drift = "" if check.drift is None else f"{check.drift:.1e}"
        measured = check.measured_period
        periods = (f"{_period(check.system):.5g}", "" if np.isnan(measured) else f"{measured:.4g}")
        deviation = f"{check.deviation:.1e}"
        rows = f"{check.sound}/{check.rows}"
        name = check.system.name
        line(name, f"{check.horizon:.4g}", rows, check.engine, check.reference, deviation, drift, *periods)
        if not check.passed:
            failed.append(name)
    console.print(
        f"\nDeviation at most {LARGEST_DEVIATION:g} of each component's largest value over {LYAPUNOV_TIMES:g} "
        f"Lyapunov times (at most {MOST_PERIODS:g} periods) or {PERIODS:g} periods, energy drift at most "
        f"{LARGEST_DRIFT:g} over {ENERGY_PERIODS} periods: "
        f"{'all pass' if not failed else 'off: ' + ', '.join(failed)}.",
        highlight=False,
        soft_wrap=True,
    )
    return not failed


def horizon(system: System) -> float:
    """How long errors may grow in a comparison, in units of time."""
    exponent = system.lyapunov or 0.0
    if exponent > 0:
        return min(LYAPUNOV_TIMES / exponent, MOST_PERIODS * _period(system))
    return PERIODS * _period(system)


def energy_change(system: System, starts: np.ndarray, periods: int = ENERGY_PERIODS) -> float:
    """The largest change of the energy on the way from rows (N, D), relative to the largest energy among them."""
    times = np.linspace(0.0, periods * _period(system), 10 * periods + 1)
    parameters = system.default_rows(len(starts))
    solution = make_engine(system, EngineSettings(), rows=len(starts)).solve(starts, parameters, times)
    sound = solution.states[solution.status == Status.OK]
    if not len(sound):
        return np.inf
    energy = system.function(system.energy, "numpy")(0.0, np.moveaxis(sound, 2, 0), system.defaults)
    return float(np.abs(energy - energy[:, :1]).max() / np.abs(energy[:, 0]).max())


def natural_period(system: System, rows: int = 16) -> float:
    """One over the frequency at which the power of all components together is largest, once transients have died.

    The spectrum is that of Hann's window, without a linear trend, and a parabola through the logarithms of the peak
    and its neighbours places it between its lines. NaN if no row is sound.
    """
    duration = SPECTRUM_PERIODS * _period(system)
    # Short of the end, so that no frequency falls out of the grid.
    times = np.linspace(0.0, duration, SPECTRUM_SAMPLES)
    solution = make_engine(system, EngineSettings(max_steps=100_000), rows=rows).solve(
        *_rows(system, rows), times
    )
    sound = solution.states[solution.status == Status.OK, SPECTRUM_SAMPLES // 2 :]
    if not len(sound):
        return np.nan
    window = np.hanning(sound.shape[1])[None, :, None]
    lines = np.abs(np.fft.rfft(detrend(sound, axis=1) * window, axis=1)) ** 2
    power = lines.sum(axis=(0, 2))
    # The window smears the lowest lines.
    peak = 2 + int(np.argmax(power[2:-1]))
    before, top, after = np.log(power[peak - 1 : peak + 2] + np.finfo(float).tiny)
    shift = 0.5 * (before - after) / (before - 2 * top + after)
    return float((times[1] - times[0]) * sound.shape[1] / (peak + shift))


def _rows(system: System, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Initial states from the default box, and the system's own parameters."""
    starts = InitialStates().rows(system, 0, "train", 0, rows)
    return starts, system.default_rows(rows)


def _reference(
    system: System, starts: np.ndarray, parameters: np.ndarray, times: np.ndarray
) -> tuple[Solution, str]:
    """The same rows by SciPy: DOP853, and Radau where that takes too many steps."""
    states = np.full((len(starts), len(times), starts.shape[1]), np.nan)
    status = np.full(len(starts), Status.STEP_LIMIT, dtype=np.int8)
    names = []
    methods: tuple[tuple[Method, int], ...] = (("DOP853", EXPLICIT_STEPS), ("Radau", IMPLICIT_STEPS))
    for method, limit in methods:
        left = status == Status.STEP_LIMIT
        if left.any():
            settings = EngineSettings(
                name="scipy", method=method, tolerance=REFERENCE_TOLERANCE, max_steps=limit
            )
            again = make_engine(system, settings).solve(starts[left], parameters[left], times)
            states[left], status[left] = again.states, again.status
            names.append(method)
    return Solution(states, status), " and ".join(names)


def _scales(system: System, states: np.ndarray, parameters: np.ndarray, times: np.ndarray) -> np.ndarray:
    """What deviations of components (K, S) of rows are measured by."""
    sizes = system.sizes(states).max(axis=1)
    if system.spatial:
        return sizes
    with np.errstate(all="ignore"):
        terms = np.nan_to_num(Terms(system)(times, states, parameters)[1], posinf=0.0).max(axis=1)
    # What cancels may leave nothing but rounding, which passes.
    return np.maximum(sizes, ROUNDING / LARGEST_DEVIATION * (times[-1] - times[0]) * terms)


def _period(system: System) -> float:
    return system.period or 1.0
