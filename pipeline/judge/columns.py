"""Of a table of rollouts: keys of metrics.json, and what they are to people."""

from collections.abc import Iterable

COLUMNS = {
    "vpt": "VPT",
    "vpt_lyapunov": "in LT",
    "nrmse": "NRMSE",
    "smape": "sMAPE",
    "energy_mse": "energy",
    "d_stsp": "D_stsp",
    "d_h": "D_H",
    "spectrum_db": "dB",
    "lyapunov": "exponent",
    "permutation_entropy": "entropy",
    "statistical_complexity": "complexity",
}
MEANT = {
    "vpt": "VPT: valid prediction time, how long the error stays below half a standard deviation, in units of time "
    "(of a whole rollout: at least so long)",
    "vpt_lyapunov": "LT: Lyapunov times",
    "smape": "sMAPE: 0 to 200",
    "energy_mse": "energy: its mean squared error",
    "spectrum_db": "dB: mean difference of spectra",
    "permutation_entropy": "entropy, complexity: of the order of successive values, 0 to 1",
}


def explained(keys: Iterable[str]) -> str:
    """What the columns of these keys mean, and the line of floors."""
    return "; ".join(
        [*(MEANT[key] for key in keys if key in MEANT), "floor: another true trajectory in its place"]
    )
