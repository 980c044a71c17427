"""Dynamical systems: equations as text, safely parsed, with SymPy in the middle."""

from .library import LIBRARY, get_system
from .parameter import Parameter
from .system import System, system_of

__all__ = ["LIBRARY", "Parameter", "System", "get_system", "system_of"]
