"""The mean difference of power spectra in dB, as Vlachas et al. 2020, doi:10.1016/j.neunet.2020.02.016, compare them.

Every frequency counts alike, also those at which there is next to nothing. Blind to phases.
"""

from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.signal import welch

from .metric import Batch, Context, Metric, spread_of

SEGMENTS, LONGEST_SEGMENT = 8, 8192
# Below so small a part of the largest power is rounding.
NOTHING = 1e-12


class Spectrum(Metric):
    """`spectrum_db`, the mean over pairs of a free run and a true one, and `spectrum_db_std` over them; 0 is best."""

    over = "free-runs"
    better = MappingProxyType({"spectrum_db": "lower"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._found: list[float] = []

    def add(self, batch: Batch) -> None:
        for true, predicted in zip(batch.true, batch.predicted, strict=True):
            self._found.append(spectrum_db(true, predicted))

    def result(self) -> dict[str, Any]:
        return spread_of("spectrum_db", self._found)


def spectrum(states: np.ndarray, step: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (F,) and mean power (F, D) of a run (T, D), by Welch's method."""
    segment = max(2, min(LONGEST_SEGMENT, len(states) // SEGMENTS))
    return welch(states, fs=1 / step, nperseg=segment, axis=0)


def spectrum_db(true: np.ndarray, predicted: np.ndarray) -> float:
    """Of two runs (T, D); NaN if one is not finite."""
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        _, p = spectrum(true)
        _, q = spectrum(predicted)
    floor = np.where(p.max(axis=0) > 0, NOTHING * p.max(axis=0), 1.0)
    return float(np.abs(10 * np.log10(np.maximum(p, floor) / np.maximum(q, floor))).mean())
