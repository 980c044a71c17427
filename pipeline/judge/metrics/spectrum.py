"""The mean difference of power spectra in dB, as Vlachas et al. 2020, doi:10.1016/j.neunet.2020.02.016, compare them.

Every frequency counts alike, also those at which there is next to nothing. Blind to phases.
"""

from types import MappingProxyType

import numpy as np

from .metric import PairMetric
from .rest import ROUNDING, at_rest

SEGMENTS, LONGEST_SEGMENT = 8, 8192
# Below so small a part of the largest power is rounding.
NOTHING = 1e-12


def spectrum(states: np.ndarray, step: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (F,) and mean power (F, D) of a run (T, D), by Welch's method."""
    # It takes longer to import than most evaluations, which measure no spectrum.
    from scipy.signal import welch

    segment = max(2, min(LONGEST_SEGMENT, len(states) // SEGMENTS))
    return welch(states, fs=1 / step, nperseg=segment, axis=0)


def spectrum_db(true: np.ndarray, predicted: np.ndarray) -> float:
    """Of two runs (T, D); NaN if one is not finite."""
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        _, p = spectrum(true)
        _, q = spectrum(predicted)
        # Where the truth rests, its spectrum is that of rounding, which tells nothing.
        size = np.abs(true).max(axis=0)
        floor = np.where(at_rest(true), np.square(ROUNDING * size), NOTHING * p.max(axis=0))
        floor = np.where(floor > 0, floor, 1.0)
        p, q = np.maximum(p, floor), np.maximum(q, floor)
        return float(np.abs(10 * np.log10(p / q)).mean())


class Spectrum(PairMetric):
    """`spectrum_db`, the mean over pairs of a free run and a true one, and `spectrum_db_std` over them; 0 is best."""

    name = "spectrum_db"
    better = MappingProxyType({"spectrum_db": "lower"})
    distance = staticmethod(spectrum_db)
