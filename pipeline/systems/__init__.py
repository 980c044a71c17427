"""Dynamical systems: equations as text, safely parsed, with SymPy in the middle."""

from .library import LIBRARY, get_system
from .system import Parameter, System

__all__ = ["LIBRARY", "Parameter", "System", "get_system"]
