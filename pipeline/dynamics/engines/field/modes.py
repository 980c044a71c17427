"""Rows of a field in Fourier space, and a step of exponential time differencing: what `etdrk4` marches by.

Cox and Matthews (2002), Exponential time differencing for stiff systems, doi:10.1006/jcph.2002.0995; the
coefficients by contour integrals, Kassam and Trefethen (2005), doi:10.1137/S1064827502410633.
"""

from typing import NamedTuple, cast

import numpy as np
from scipy import fft

from ...systems.kuramoto_sivashinsky import growth_rates, resolved_modes

CONTOUR_POINTS = 32
# Coefficients of so many steps are kept: an even grid has one, and each halving one more.
KEPT = 16
ORDER = 4


class Stepper(NamedTuple):
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

    def of(self, rows: np.ndarray) -> "Stepper":
        """The same for some of the rows, as numbers."""
        return Stepper(*(values[rows] for values in self))


class Modes:
    """Circles of these lengths (n,), a row each, with so many points."""

    def __init__(self, points: int, lengths: np.ndarray) -> None:
        self._points, self._lengths = points, lengths
        self._modes = resolved_modes(points)
        self._advect = -0.5j * (2 * np.pi / lengths)[:, None] * np.arange(self._modes + 1)
        self._steppers: dict[float, Stepper] = {}

    def of(self, rows: np.ndarray) -> "Modes":
        """Some of the rows, as numbers; they have no coefficients yet."""
        return Modes(self._points, self._lengths[rows])

    def spectrum(self, fields: np.ndarray) -> np.ndarray:
        """Amplitudes (n, 2 (modes + 1)) of fields (n, N): real and imaginary parts side by side, for all coefficients
        are real."""
        return self._transformed(fields).view(np.float64)

    def field(self, spectrum: np.ndarray) -> np.ndarray:
        return cast(np.ndarray, fft.irfft(spectrum.view(np.complex128), self._points, axis=1))

    def step(self, spectrum: np.ndarray, c: Stepper) -> np.ndarray:
        at_start = self._product(spectrum)
        decayed = c.half * spectrum
        middle = decayed + c.middle * at_start
        at_middle = self._product(middle)
        at_middle_again = self._product(decayed + c.middle * at_middle)
        end = c.half * middle + c.middle * (2 * at_middle_again - at_start)
        return (
            c.full * spectrum
            + c.start * at_start
            + c.centre * (at_middle + at_middle_again)
            + c.end * self._product(end)
        )

    def error(self, before: np.ndarray, after: np.ndarray, step: float) -> np.ndarray:
        """What a step from one to the other erred: two half ones tell."""
        half = self.stepper(step / 2)
        better = self.step(self.step(before, half), half)
        return (after - better) / (1 - 0.5**ORDER)

    def size(self, spectrum: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """The largest |u| (n,) of one field relative to that of another; 0 of a field of zeros."""
        own, other = (np.abs(self.field(each)).max(axis=1) for each in (spectrum, beside))
        return np.where(own == 0, 0.0, own / other)

    def stepper(self, step: float) -> Stepper:
        if step not in self._steppers:
            while len(self._steppers) >= KEPT:
                del self._steppers[next(iter(self._steppers))]
            self._steppers[step] = _stepper(self._lengths, self._modes, step)
        return self._steppers[step]

    def _product(self, spectrum: np.ndarray) -> np.ndarray:
        """-(u^2)_x/2 in Fourier space."""
        values = self.field(spectrum)
        return (self._advect * self._transformed(values * values)).view(np.float64)

    def _transformed(self, fields: np.ndarray) -> np.ndarray:
        spectrum = cast(np.ndarray, fft.rfft(fields, axis=1))
        return np.ascontiguousarray(spectrum[:, : self._modes + 1])


def _stepper(lengths: np.ndarray, modes: int, step: float) -> Stepper:
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
    return Stepper(*(value[place] for value in values))
