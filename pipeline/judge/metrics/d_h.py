"""D_H: how much the power spectra of a free run differ from those of the truth, as densities over frequency.

The Hellinger distance of smoothed spectra, as Hess et al. 2023, arXiv 2306.04406, take it; 0 to 1, the mean
over components. It depends on the number of points, since the smoothing is by so many bins of frequency. Blind
to the size of components, which are standardised, and to phases.
"""

from types import MappingProxyType

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .metric import PairMetric
from .rest import at_rest

# Of the Gaussian, in bins of frequency, and where it is cut off, in deviations.
SMOOTHING, CUT = 20.0, 4.0


def d_h(true: np.ndarray, predicted: np.ndarray) -> float:
    """Of two runs (T, D) of as many points; NaN if one is not finite."""
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        p, q = _spectrum(true), _spectrum(predicted)
    overlap = np.sqrt(p * q).sum(axis=0)
    return float(np.sqrt(np.maximum(1.0 - overlap, 0.0)).mean())


def _spectrum(states: np.ndarray) -> np.ndarray:
    """Smoothed power (F, D) of each component, which adds up to 1."""
    # What rests, but for rounding, has no spectrum: all of it is at frequency 0.
    rests = at_rest(states)
    standardised = (states - states.mean(axis=0)) / np.where(rests, 1.0, states.std(axis=0))
    power = np.abs(np.fft.rfft(standardised, axis=0)) ** 2
    power[:, rests] = 0.0
    power[0, rests] = 1.0
    smooth = gaussian_filter1d(power, SMOOTHING, axis=0, truncate=CUT)
    return smooth / smooth.sum(axis=0)


class DH(PairMetric):
    """`d_h`, the mean over pairs of a free run and a true one, and `d_h_std` over them; 0 is best."""

    name = "d_h"
    better = MappingProxyType({"d_h": "lower"})
    distance = staticmethod(d_h)
