"""Metrics by name; those that are always taken come in the order of metrics.json."""

from ....data.base.registry import Registry
from .metric import Metric

METRICS: Registry[Metric] = Registry(
    "metric",
    {
        "errors": "errors:Errors",
        "noise": "noise:Noise",
        "valid-prediction-time": "valid_time:ValidTime",
        "limit-cycle": "limit_cycle:LimitCycle",
    },
    package="trajstore.pipeline.judge.metrics",
    base="metric:Metric",
)
# Of every evaluation.
USUAL = ("errors", "noise", "valid-prediction-time", "limit-cycle")
