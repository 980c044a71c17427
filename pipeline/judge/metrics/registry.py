"""Metrics by name; those that are always taken come in the order of metrics.json."""

from ....data.base.registry import Registry
from .metric import Metric

METRICS: Registry[Metric] = Registry(
    "metric",
    {
        "errors": "errors:Errors",
        "by-step": "by_step:ByStep",
        "noise": "noise:Noise",
        "stateful": "stateful:Stateful",
        "finite": "finite:Finite",
        "valid-prediction-time": "valid_time:ValidTime",
        "rollout-errors": "rollout_errors:RolloutErrors",
        "smape": "smape:Smape",
        "energy": "energy:Energy",
        "limit-cycle": "limit_cycle:LimitCycle",
        "d_stsp": "d_stsp:DStsp",
        "d_h": "d_h:DH",
        "spectrum_db": "spectrum:Spectrum",
        "lyapunov": "lyapunov:Lyapunov",
        "orbit_complexity": "orbit_complexity:OrbitComplexity",
    },
    package="trajstore.pipeline.judge.metrics",
    base="metric:Metric",
)
# Of every evaluation.
USUAL = (
    "errors",
    "by-step",
    "noise",
    "stateful",
    "finite",
    "valid-prediction-time",
    "rollout-errors",
    "smape",
    "energy",
    "limit-cycle",
)
# Of the attractor, over long free runs; taken where a config names them.
STATISTICS = ("d_stsp", "d_h", "spectrum_db", "lyapunov", "orbit_complexity")
