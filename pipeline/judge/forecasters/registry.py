"""Baselines by name, in the order in which they are rolled out."""

from ....data.base.registry import Registry
from .forecaster import Baseline

BASELINES: Registry[Baseline] = Registry(
    "baseline",
    {
        "persistence": "persistence:Persistence",
        "zero": "zero:Zero",
        "rotation": "rotation:Rotation",
        "linear": "one_step:Linear",
        "polynomial": "one_step:Polynomial",
    },
    package="trajstore.pipeline.judge.forecasters",
    base="forecaster:Baseline",
)
USUAL = ("persistence", "zero", "rotation", "linear", "polynomial")
