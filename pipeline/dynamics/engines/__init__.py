"""Engines that integrate many trajectories at once, behind one small interface."""

from .base.engine import Engine, EngineError, Solution
from .settings import EngineSettings, make_engine

__all__ = ["Engine", "EngineError", "EngineSettings", "Solution", "make_engine"]
