"""Baselines by name, in the order in which they are rolled out."""

from ....data.base.registry import Registry
from .forecaster import Baseline

BASELINES: Registry[Baseline] = Registry(
    "baseline",
    {
        "persistence": "persistence:Persistence",
        "zero": "zero:Zero",
        "rotation": "rotation:Rotation",
        "mean": "mean:Mean",
        "linear": "one_step:Linear",
        "polynomial": "one_step:Polynomial",
        "nvar": "nvar:Nvar",
        "esn": "esn:Esn",
        "analogue": "analogue:Analogue",
        "dmd": "dmd:Dmd",
        "koopman": "dmd:Koopman",
        "sindy": "sindy:Sindy",
    },
    package="trajstore.pipeline.judge.forecasters",
    base="forecaster:Baseline",
)
USUAL = ("persistence", "zero", "rotation", "mean", "linear", "polynomial")
# Polynomials lose to these where states have noise, and where some are hidden.
OF_NOISY, OF_PARTIAL = ("nvar", "esn"), ("nvar", "esn")


def usual(*, noisy: bool, partial: bool) -> list[str]:
    """Baselines that are rolled out unless a config names others: the strongest cheap one is among them."""
    more = (*(OF_NOISY if noisy else ()), *(OF_PARTIAL if partial else ()))
    return [name for name in BASELINES.own if name in {*USUAL, *more}]
