"""The engine of a field: exponential time differencing in Fourier space, in fixed steps, many rows at once.

Cox and Matthews (2002), Exponential time differencing for stiff systems, doi:10.1006/jcph.2002.0995; the
coefficients by contour integrals, Kassam and Trefethen (2005), doi:10.1137/S1064827502410633.
"""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NamedTuple, cast

import numpy as np
import scipy
from scipy import fft

from ...data.format import Status
from ..systems import System
from ..systems.kuramoto_sivashinsky import KIND, growth_rates, resolved_modes
from .budget import Budget
from .engine import REVISION, EngineError, Solution, blank_failed

# What a step of this size errs in a unit of time is 1e-10 of the field, of a step h 1e-10 (h/0.0025)^4: measured at
# L = 22. A tolerance is by convention less than such an error.
DEFAULT_STEP, DEFAULT_TOLERANCE = 0.0025, 1e-11
METHOD = "ETDRK4"
# Rows at once, few enough for the second cache. They are filled up to a multiple of every SIMD width, so that each
# row takes the same way through the processor, whatever its neighbours.
ROWS, LANES = 128, 8
CONTOUR_POINTS = 32
REPORT_SECONDS = 0.1

Intervals = list[tuple[float, int]]


class Etdrk4Engine:
    """u_t = -u u_x - u_xx - u_xxxx on a circle, in the Fourier modes that the points carry without aliases.

    system     of kind "kuramoto-sivashinsky"; each row has its own length
    max_step   longest step; the steps that are taken divide the grid's
    max_steps  rows that would take more are given up, and max_steps_per_unit: see `Budget`

    Raises EngineError for another system.
    """

    # Transforms of so few rows are short, and threads would wait for each other in between.
    threads = False

    def __init__(
        self,
        system: System,
        max_step: float = DEFAULT_STEP,
        max_steps: int = 0,
        max_steps_per_unit: float | None = None,
    ) -> None:
        if system.kind != KIND:
            raise EngineError(f'engine "etdrk4" integrates {KIND} alone, not {system.name!r:.80}')
        self._points = len(system.states)
        self._max_step = max_step
        self._budget = Budget(max_steps, max_steps_per_unit)

    def describe(self) -> dict[str, Any]:
        return {
            "name": "etdrk4",
            "version": scipy.__version__,
            "revision": REVISION,
            "method": METHOD,
            "tolerance": DEFAULT_TOLERANCE * max(1.0, self._max_step / DEFAULT_STEP) ** 4,
            "max_step": self._max_step,
            **self._budget.describe(),
        }

    def solve(
        self,
        initial_states: np.ndarray,
        parameters: np.ndarray,
        times: np.ndarray,
        report: Callable[[int], None] | None = None,
    ) -> Solution:
        """See `Engine.solve`."""
        lengths = parameters[:, 0]
        states = np.full((len(initial_states), len(times), self._points), np.nan)
        status = np.zeros(len(initial_states), dtype=np.int8)
        intervals = _intervals(times, self._max_step)
        most = self._budget.steps(times)
        if most and sum(count for _, count in intervals) > most:
            status[:] = Status.STEP_LIMIT
        else:
            status[~(np.isfinite(initial_states).all(axis=1) & (lengths > 0))] = Status.DIVERGED
        rows = np.flatnonzero(status == Status.OK)
        states[rows, 0] = initial_states[rows]
        reported = 0.0
        with np.errstate(all="ignore"):
            for start in range(0, len(rows), ROWS):
                chosen = rows[start : start + ROWS]
                places = np.resize(chosen, -(-len(chosen) // LANES) * LANES)
                fields = self._march(initial_states[places], lengths[places], intervals)
                for index, values in enumerate(fields, start=1):
                    states[chosen, index] = values[: len(chosen)]
                    if report is not None and perf_counter() - reported > REPORT_SECONDS:
                        report(start + len(chosen) * index // len(times))
                        reported = perf_counter()
        return blank_failed(states, status)

    def _march(self, fields: np.ndarray, lengths: np.ndarray, intervals: Intervals) -> Iterator[np.ndarray]:
        """The fields (n, N) at the end of each interval."""
        modes = resolved_modes(self._points)
        steppers = {step: _stepper(lengths, modes, step) for step in {step for step, _ in intervals}}
        advect = -0.5j * (2 * np.pi / lengths)[:, None] * np.arange(modes + 1)

        def field(spectrum: np.ndarray) -> np.ndarray:
            return cast(np.ndarray, fft.irfft(spectrum.view(np.complex128), self._points, axis=1))

        def product(spectrum: np.ndarray) -> np.ndarray:
            """-(u^2)_x/2 in Fourier space."""
            values = field(spectrum)
            return (advect * _spectrum(values * values, modes)).view(np.float64)

        # Real and imaginary parts side by side, for all coefficients are real.
        spectrum = _spectrum(fields, modes).view(np.float64)
        for step, count in intervals:
            c = steppers[step]
            for _ in range(count):
                at_start = product(spectrum)
                decayed = c.half * spectrum
                middle = decayed + c.middle * at_start
                at_middle = product(middle)
                at_middle_again = product(decayed + c.middle * at_middle)
                end = c.half * middle + c.middle * (2 * at_middle_again - at_start)
                spectrum = (
                    c.full * spectrum
                    + c.start * at_start
                    + c.centre * (at_middle + at_middle_again)
                    + c.end * product(end)
                )
            yield field(spectrum)


class _Stepper(NamedTuple):
    """Coefficients of a step h for growth rates L, (n, 2 (modes + 1)), each twice for a real and an imaginary part.

    full, half          exp(h L), exp(h L/2)
    middle              weight of the product in half a step
    start, centre, end  weights of the products at the start, twice in the middle, and at the end
    """

    full: np.ndarray
    half: np.ndarray
    middle: np.ndarray
    start: np.ndarray
    centre: np.ndarray
    end: np.ndarray


def _stepper(lengths: np.ndarray, modes: int, step: float) -> _Stepper:
    distinct, place = np.unique(lengths, return_inverse=True)
    rates = np.stack([growth_rates(length, modes) for length in distinct.tolist()])
    z = step * np.repeat(rates, 2, axis=1)
    # The weights are means over circles: near z = 0 their formulas lose all digits.
    angles = np.pi * (np.arange(CONTOUR_POINTS) + 0.5) / CONTOUR_POINTS
    r = z[..., None] + np.exp(1j * angles)
    e = np.exp(r)
    weights = (
        (np.exp(r / 2) - 1) / r,
        (-4 - r + e * (4 - 3 * r + r**2)) / r**3,
        2 * (2 + r + e * (r - 2)) / r**3,
        (-4 - 3 * r - r**2 + e * (4 - r)) / r**3,
    )
    values = (np.exp(z), np.exp(z / 2), *(step * weight.mean(axis=-1).real for weight in weights))
    return _Stepper(*(value[place] for value in values))


def _spectrum(fields: np.ndarray, modes: int) -> np.ndarray:
    spectrum = cast(np.ndarray, fft.rfft(fields, axis=1))
    return np.ascontiguousarray(spectrum[:, : modes + 1])


def _intervals(times: np.ndarray, longest: float) -> Intervals:
    """(step, how many) from each time of the grid to the next."""
    gaps = np.diff(times)
    if not len(gaps):
        return []
    mean = (times[-1] - times[0]) / len(gaps)
    if np.allclose(gaps, mean, rtol=1e-6, atol=0):
        # On an even grid the gaps differ by rounding alone.
        gaps = np.full(len(gaps), mean)
    counts = np.maximum(1, np.ceil(gaps / longest - 1e-9)).astype(np.int64)
    return list(zip((gaps / counts).tolist(), counts.tolist(), strict=True))
