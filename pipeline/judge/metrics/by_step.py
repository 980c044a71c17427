"""Errors of what needs a past that it has not at the first step of a sample: there, and later."""

from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import Errors
from .metric import Context


class ByStep(Errors):
    """`first_mse` of the first step of each sample, and `later_mse`, the mean over those after it, if there are."""

    better = MappingProxyType({"first_mse": "lower", "later_mse": "lower"})

    @classmethod
    def wanted(cls, context: Context) -> bool:
        return context.driven or context.blind

    def result(self) -> dict[str, Any]:
        first, *later = super().result()["mse_by_time"]
        return {"first_mse": first, **({"later_mse": float(np.mean(later))} if later else {})}
